"""No log line shows a secret, a telephone number, audio or text, by whichever way it comes in."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretBytes, SecretStr

from core import Issuer, principal
from otokura.shared import api_keys, logs
from otokura.shared.ids import uuid7

CANARY = "kanariya-9f3a"
SECRET_KEYS = [
    "password", "database_password", "client_secret", "clientSecret", "clientsecret", "s3_secret_key",
    "token", "accessToken", "bootstrap_token", "authorization", "Authorization", "cookie", "api_key",
    "x-api-key", "X-API-Key", "apiKey", "private_key", "dek", "wrapped", "credentials", "caller", "callee",
    "caller_id", "phone_number", "caller_number",
]  # fmt: skip
CONTENT_KEYS = [
    "text", "transcript", "words", "turns", "audio", "pcm", "payload", "body", "request_body", "plaintext",
    "content", "data", "samples", "chunk", "vocabulary", "input",
]  # fmt: skip


@dataclass
class Holder:
    text: str


class Model(BaseModel):
    text: str


class Opaque:
    def __repr__(self) -> str:
        return CANARY

    __str__ = __repr__


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where logs go, at the most talkative level."""
    root, out = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers, root.level
    logs.configure("ingest", "DEBUG", out)
    yield out
    logging.captureWarnings(False)
    logs.configure_defaults()
    root.handlers, root.level = handlers, level


@pytest.mark.guarantee("S1")
@pytest.mark.parametrize("key", SECRET_KEYS + CONTENT_KEYS)
@pytest.mark.parametrize(
    "wrap",
    [lambda v: v, lambda v: [v], lambda v: {"a": [{"b": v}]}, lambda v: (v, {v: v})],
    ids=["alone", "in a list", "in a mapping", "as a key"],
)
def test_the_value_of_a_telling_key_is_masked(
    stream: io.StringIO, key: str, wrap: Callable[[str], object]
) -> None:
    log = logs.get_logger("x")
    log.info("event", **{key: wrap(CANARY)})
    log.info("event", settings={key: wrap(CANARY)}, nested=[{key: wrap(CANARY)}])
    assert stream.getvalue().count("[masked]") >= 3
    assert CANARY not in stream.getvalue()


@pytest.mark.parametrize("key", ["caller", "phone_number", "token"])
def test_numbers_under_secret_keys_are_masked_too(stream: io.StringIO, key: str) -> None:
    logs.get_logger("x").info("event", **{key: 819012345678})
    assert "819012345678" not in stream.getvalue()


def test_counts_of_content_are_shown(stream: io.StringIO) -> None:
    logs.get_logger("x").info("event", words=7, samples=80000, token_lifetime_seconds=900, kek_id="k1")
    for shown in ('"words":7', '"samples":80000', '"token_lifetime_seconds":900', '"kek_id":"k1"'):
        assert shown in stream.getvalue()


@pytest.mark.guarantee("S1")
@pytest.mark.parametrize(
    "value",
    [
        CANARY.encode(),
        bytearray(CANARY.encode()),
        memoryview(CANARY.encode()),
        SecretStr(CANARY),
        SecretBytes(CANARY.encode()),
        Holder(CANARY),
        Model(text=CANARY),
        Opaque(),
        {1: {2: {3: {4: {5: {6: {7: CANARY}}}}}}},
        [Opaque()],
        ValueError(CANARY),
        KeyError(CANARY),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_plain_values_are_shown(stream: io.StringIO, value: object) -> None:
    logs.get_logger("x").info("event", value=value, values=[value], by_name={"a": value})
    assert stream.getvalue().count("\n") == 1
    assert CANARY not in stream.getvalue()


def raise_foreign() -> None:
    raise ValueError(CANARY)


def raise_validation() -> None:
    Model.model_validate({"text": {CANARY: CANARY}})


def raise_from() -> None:
    try:
        raise_foreign()
    except ValueError as error:
        raise RuntimeError(CANARY) from error


def raise_noted() -> None:
    error = RuntimeError()
    error.add_note(CANARY)
    raise error


def raise_group() -> None:
    raise ExceptionGroup(CANARY, [ValueError(CANARY), ExceptionGroup(CANARY, [KeyError(CANARY)])])


@pytest.mark.guarantee("S1")
@pytest.mark.parametrize(
    "fail", [raise_foreign, raise_validation, raise_from, raise_noted, raise_group], ids=lambda f: f.__name__
)
def test_the_words_of_foreign_exceptions_are_not_shown(stream: io.StringIO, fail: Callable[[], None]) -> None:
    """pydantic quotes the input, PostgreSQL the row, and everybody may quote anything."""
    try:
        fail()
    except Exception:
        logs.get_logger("x").exception("failed")
        logging.getLogger("library").exception("failed")
    assert stream.getvalue().count('"exception":{"type":') == 2
    assert CANARY not in stream.getvalue()


def credentials() -> dict[str, str]:
    token = Issuer().issue(principal())
    return {
        "api key": api_keys.new_api_key(uuid7()),
        "token": token,
        "unsigned token": jwt.encode({"sub": CANARY}, "", "none"),
        "bearer": f"Bearer {CANARY}.{CANARY}",
        "basic": f"authorization: basic {CANARY}==",
        "url": f"postgresql+asyncpg://user:{CANARY}@db.example/otokura",
        "query": f"/v1/calls?access_token={CANARY}&limit=1",
        "password": f"password={CANARY}",
        "pem": f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----",
        "telephone": "+81 90-1234-5678",
    }


@pytest.mark.guarantee("S1")
@pytest.mark.parametrize("kind", list(credentials()))
def test_credentials_are_scrubbed_from_any_string(stream: io.StringIO, kind: str) -> None:
    credential = credentials()[kind]
    logs.get_logger("x").info(f"tried {credential} here", detail=f"<{credential}>", items=[credential])
    logging.getLogger("library").warning("tried %s here", credential)
    shown = stream.getvalue()
    assert shown.count("[masked]") == 4
    assert CANARY not in shown
    for part in re.split(r"[. ]", credential) if kind.endswith("token") else [credential]:
        assert not part or part not in shown


def test_asyncio_does_not_tell_the_exception_of_a_lost_task(stream: io.StringIO) -> None:
    logging.getLogger("asyncio").error(
        "Task exception was never retrieved\nfuture: <Task exception=%r>", ValueError(CANARY)
    )
    assert "never retrieved" in stream.getvalue()
    assert CANARY not in stream.getvalue()


JSON: st.SearchStrategy[Any] = st.recursive(
    st.just(CANARY) | st.just(CANARY.encode()) | st.builds(Holder, st.just(CANARY)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.guarantee("S1")
@given(
    key=st.sampled_from(SECRET_KEYS + CONTENT_KEYS), prefix=st.sampled_from(["", "old_", "the"]), value=JSON
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_under_a_telling_key_is_shown(
    stream: io.StringIO, key: str, prefix: str, value: object
) -> None:
    name = prefix + (key[0].upper() + key[1:] if prefix == "the" else key)
    logs.get_logger("x").info("event", details={name: value})
    assert CANARY not in stream.getvalue()
