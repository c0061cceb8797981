"""Secrets are compared by `hmac.compare_digest` alone: `==` ends at the first difference, and time tells."""

from __future__ import annotations

import ast
import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from pydantic import SecretStr
from starlette.websockets import WebSocket

from otokura.access.identity.bootstrap import is_configured
from otokura.access.identity.secrets import hash_secret, secret_matches
from otokura.access.logins.second_factor import step_of
from otokura.ingest.dialects.audiohook_signature import BadSignature, Signature, verify
from otokura.ingest.dialects.twilio import SIGNATURE, check_signature
from otokura.shared import api_keys, keys
from otokura.shared.errors import IntegrityError, Unauthenticated

ROOT = Path(__file__).parents[2]
SOURCES = ("services", "shared")
EQUALITY = ast.Eq | ast.NotEq | ast.In | ast.NotIn
WORDS = {
    "commitment", "digest", "family", "hash", "hashed", "hmac", "mac", "nonce", "once", "otp", "passphrase",
    "password", "secret", "sha1", "sha256", "sha512", "signature", "token",
}  # fmt: skip
"""A name that has one of these in it holds a secret, or what is made of one."""
PUBLIC = {
    # Both sides come out of our own database, one after the other: nobody who asks has a part in them.
    ("access/logins/password_change.py", "now.password_hash != login.password_hash"),
    (
        "access/logins/sessions.py",
        "(login.password_hash, login.reset_at) == (before[1].password_hash, before[1].reset_at)",
    ),
    # A list of passwords that everybody has.
    ("access/logins/common_passwords.py", "password in row"),
    # Of a manifest, a question to an authority, a body that was sent, published weights, the log: who asks
    # knows them, or may.
    ("access/reads/handlers.py", "manifest.sha256() != event.manifest_sha256"),
    ("transcribe/handlers.py", "manifest.sha256() != event.manifest_sha256"),
    ("access/evidence/timestamp.py", "info.nonce != nonce"),
    ("shared/idempotency.py", "row.body_sha256 != self.body_sha256"),
    ("transcribe/weights.py", "_sha256(folder / name) != expected"),
    ("audit/service.py", "climb(leaf_hash(entry.leaf), entry.index, size, path) != root"),
    ("audit/views.py", "commit(entry.salt, entry.recorded) != leaf['commitment']"),
}
"""Comparisons by file that name such a thing and hold no secret."""


def comparisons(path: Path) -> Iterator[str]:
    """What a file compares by `==`, `!=` or `in` that sounds like a secret."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare) and any(isinstance(op, EQUALITY) for op in node.ops):
            sides = [node.left, *node.comparators]
            said = {word for side in sides for name in names(side) for word in name.lower().split("_")}
            if said & WORDS and not any(is_public(side) for side in sides):
                yield ast.unparse(node)


def names(node: ast.expr) -> Iterator[str]:
    """What an expression is called: of `a.b.c` the last, of a call and of what it is given all."""
    match node:
        case ast.Name():
            yield node.id
        case ast.Attribute():
            yield node.attr
            if isinstance(node.value, ast.Call):
                yield from names(node.value)
        case ast.Subscript():
            yield from names(node.value)
            if isinstance(node.slice, ast.Constant):
                yield str(node.slice.value)
        case _:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    yield from names(child)


def is_public(side: ast.expr) -> bool:
    """A constant, some of them, a length, or a column: the database finds hashes, never secrets."""
    if isinstance(side, ast.Tuple | ast.Set | ast.List):
        return all(is_public(element) for element in side.elts)
    constant = isinstance(side, ast.Constant) or re.search(r"(^|\.)_?[A-Z][A-Z0-9_]*$", ast.unparse(side))
    return bool(constant) or re.match(r"len\(|col\(|[A-Z]\w*\.\w+$", ast.unparse(side)) is not None


def found() -> set[tuple[str, str]]:
    return {
        (str(path.relative_to(ROOT)).partition("/otokura/")[2], text)
        for root in SOURCES
        for path in sorted((ROOT / root).rglob("*.py"))
        for text in comparisons(path)
    }


@pytest.mark.guarantee("W6")
def test_no_secret_is_compared_by_equality() -> None:
    """A comparison that is new here is one of `hmac.compare_digest`, or gets its reason above."""
    assert found() == PUBLIC


@pytest.mark.guarantee("W6")
@pytest.mark.parametrize(
    "line",
    [
        "ok = given == hash_secret(configured)",
        "ok = record.secret_sha256 == sha256(given).hexdigest()",
        "if signature != hmac.new(key, body, sha256).digest(): raise Bad",
        "if request.headers['x_signature'] == expected: pass",
        "return body.token.get_secret_value() in known",
    ],
)
def test_the_search_finds_such_a_line(tmp_path: Path, line: str) -> None:
    """So that finding none is worth something."""
    (tmp_path / "careless.py").write_text(line)
    assert len(list(comparisons(tmp_path / "careless.py"))) == 1


def twilio(right: bool) -> bool:
    url, secret = "wss://ingest.example.com/v1/streams/twilio", b"an auth token of Twilio"
    signed = b64encode(hmac.digest(secret if right else b"another", url.encode(), "sha1"))
    headers = [(b"host", b"ingest.example.com"), (SIGNATURE.encode(), signed)]
    scope = {"type": "websocket", "scheme": "wss", "path": "/v1/streams/twilio", "query_string": b""}
    try:
        check_signature(WebSocket(scope | {"headers": headers}, never, never), secret)
    except Unauthenticated:
        return False
    return True


async def never(*_: object) -> Any:
    """Nothing is received or sent."""


def genesys(right: bool) -> bool:
    base, now = "what was signed", 1_800_000_000
    value = hmac.digest(KEY if right else bytes(32), base.encode(), hashlib.sha256)
    try:
        verify(Signature(base.encode(), value, "key", "nonce", now, None), KEY, now)
    except BadSignature:
        return False
    return True


def app_code(right: bool) -> bool:
    at = datetime.now(UTC)
    code = TOTP(KEY[:20], 6, SHA1(), 30).generate(int(at.timestamp())).decode()  # noqa: S303 - as apps do
    return step_of(KEY[:20], code if right else "no code", at, -1) is not None


def api_key(right: bool) -> bool:
    key = api_keys.new_api_key(uuid4())
    return api_keys.matches(key if right else api_keys.new_api_key(uuid4()), api_keys.hash_api_key(key))


def committed(right: bool) -> bool:
    call_id = uuid4()
    try:
        keys.check_commitment(KEY, call_id, keys.commitment(KEY if right else bytes(32), call_id))
    except IntegrityError:
        return False
    return True


KEY = hashlib.sha256(b"a key").digest()
VERIFIERS: dict[str, Callable[[bool], bool]] = {
    # Clients' secrets, and both secrets of a refresh token.
    "secret": lambda right: secret_matches("a secret" if right else "another", hash_secret("a secret")),
    "bootstrap token": lambda right: is_configured(
        SecretStr("a token" if right else "another"), SecretStr("a token")
    ),
    "api key": api_key,
    "code of an app": app_code,
    "Twilio's signature": twilio,
    "Genesys' signature": genesys,
    "commitment to a key": committed,
}


@pytest.mark.guarantee("W6")
@pytest.mark.parametrize("verifier", VERIFIERS.values(), ids=VERIFIERS.keys())
def test_each_verifier_believes_the_comparison_that_takes_one_time(
    verifier: Callable[[bool], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is right is taken and what is wrong is not, and it is `compare_digest` that says so."""
    assert (verifier(True), verifier(False)) == (True, False)
    monkeypatch.setattr(hmac, "compare_digest", lambda *_: False)
    assert not verifier(True)
    monkeypatch.setattr(hmac, "compare_digest", lambda *_: True)
    assert verifier(False)
