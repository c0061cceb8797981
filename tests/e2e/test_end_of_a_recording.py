"""The end of a call through the whole of Otokura: held, erased by every service, certified, and final."""

from __future__ import annotations

import json
import shutil
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from typer.testing import CliRunner, Result

import speech
from otokura.cli.__main__ import app
from otokura.cli.api.http import Api, ApiError
from otokura.cli.credentials import Principal
from otokura.cli.verify import verify_log
from otokura.shared.errors import NotFound
from otokura.shared.keys import KeyContext, KeyUse, LocalKeyProvider, WrappedDek, new_dek
from whole import PATIENCE, Whole, a_call, transcribed, upload

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow]

COPIED = {
    "ingest": "SELECT id AS call_id, tenant_id, kek_id, wrapped_dek AS wrapped FROM calls"
    " WHERE id = CAST(:id AS uuid) AND wrapped_dek <> ''",
    "transcribe": "SELECT call_id, tenant_id, kek_id, wrapped FROM call_keys"
    " WHERE call_id = CAST(:id AS uuid)",
    "access": "SELECT call_id, tenant_id, kek_id, wrapped FROM call_keys WHERE call_id = CAST(:id AS uuid)",
}
WHERE = {
    "ingest": ("calls", "pieces", "uploads"),
    "transcribe": ("recordings", "jobs", "call_keys"),
    "access": ("calls", "call_keys", "transcripts", "transcript_versions"),
}


def create(api: Api, path: str, body: dict[str, Any]) -> dict[str, Any]:
    return api.json("POST", path, json=body, headers={"Idempotency-Key": str(uuid4())})


def officer(whole: Whole) -> None:
    """Somebody who keeps evidence, in the demo tenant."""
    credentials = whole.credentials
    if "officer" not in credentials.principals:
        with whole.api("admin") as api:
            person = {"name": "証拠 係", "kind": "person", "roles": ["evidence-officer"]}
            made = create(api, "/v1/principals", person)
        credentials.principals["officer"] = Principal(
            id=made["client_id"], client_secret=made["client_secret"], api_key=None
        )
        credentials.write(whole.stack.layout.credentials)


def until(look: Any) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.25)
    return found


async def rows(whole: Whole, call_id: str) -> dict[str, int]:
    """How many rows of each table name the call."""
    counted: dict[str, int] = {}
    for service, tables in WHERE.items():
        for table in tables:
            column = "id" if (service, table) == ("ingest", "calls") else "call_id"
            query = f"SELECT count(*) AS n FROM {table} WHERE {column} = CAST(:id AS uuid)"  # noqa: S608 - constants
            [row] = await whole.query(service, query, id=call_id)
            counted[f"{service}.{table}"] = row.n
    return counted


@pytest.mark.guarantee("Z2")
@pytest.mark.guarantee("Z3")
@pytest.mark.guarantee("Z4")
@pytest.mark.guarantee("Z6")
async def test_a_call_is_held_erased_everywhere_and_certified(whole: Whole, tmp_path: Path) -> None:
    officer(whole)
    call_id = upload(whole, a_call("end", "en"), speech.CALLS / "en-support.wav")
    transcribed(whole, call_id)
    assert sum((await rows(whole, call_id)).values()) >= 8
    stolen = await copies(whole, call_id)
    assert [await opens(copy, whole.stack.layout.keyring) for copy in stolen] == [True] * len(COPIED)
    with whole.api("officer") as api:
        held = create(api, f"/v1/calls/{call_id}/holds", {"reason": "訴訟"})
        asked = {"call_ids": [call_id], "ground": "cease-use", "reason": "ご本人から"}
        erasure = create(api, "/v1/erasures", asked)
        path = f"/v1/erasures/{erasure['id']}"
        until(lambda: api.json("GET", f"{path}/calls")["items"][0]["waits_for"] == "held")
        api.json("POST", f"/v1/calls/{call_id}/holds/{held['id']}/lift", json={"reason": "結審"})
        until(lambda: api.json("GET", path)["erased"] == 1)
        for what in ("", "/audio", "/transcript"):
            with pytest.raises(ApiError) as refused:
                api.request("GET", f"/v1/calls/{call_id}{what}", params={"purpose": "quality", "reason": "r"})
            assert refused.value.status == HTTPStatus.NOT_FOUND
    assert sum((await rows(whole, call_id)).values()) == 0
    _certified(whole, call_id, tmp_path)
    # Shredded, and not yet final: whoever copied the wrapped key before can still open it.
    assert all([await opens(copy, whole.stack.layout.keyring) for copy in stolen])
    destroyed = _final_after_a_rotation(whole, call_id, tmp_path)
    assert {copy.kek_id for copy in stolen} <= destroyed
    taken = tmp_path / "keyring.json"
    shutil.copy(whole.stack.layout.keyring, taken)
    for keyring in (whole.stack.layout.keyring, taken):
        assert not any([await opens(copy, keyring) for copy in stolen])
        assert await still_wraps(keyring)


async def copies(whole: Whole, call_id: str) -> list[Any]:
    """The call's wrapped keys, as a thief of the three databases has them."""
    found = [await whole.query(service, query, id=call_id) for service, query in COPIED.items()]
    assert all(found)
    return [row for some in found for row in some]


async def opens(copy: Any, keyring: Path) -> bool:
    """Whether a copied key opens with a keyring; it does so only if nothing of it was changed."""
    wrapped, context = WrappedDek(copy.kek_id, copy.wrapped), KeyContext(copy.tenant_id, copy.call_id)
    try:
        await LocalKeyProvider(keyring).unwrap(wrapped, context, KeyUse.READ, "a thief")
    except NotFound:
        return False
    return True


async def still_wraps(keyring: Path) -> bool:
    """Whether a keyring is a living one: what it wraps it opens."""
    provider, dek, context = LocalKeyProvider(keyring), new_dek(), KeyContext(uuid4(), uuid4())
    return await provider.unwrap(await provider.wrap(dek, context), context, KeyUse.READ, "test") == dek


def _certificate(whole: Whole, call_id: str) -> dict[str, Any] | None:
    """What audit certifies now; None as long as not everybody has confirmed, or the log is not published."""
    with whole.api("officer", "audit") as api:
        try:
            return api.json("GET", f"/v1/calls/{call_id}/erasure-certificate")
        except ApiError as error:
            if error.status not in {HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE}:
                raise
            return None


def _verified(whole: Whole, certificate: dict[str, Any], folder: Path, *more: str) -> Result:
    """`otokura verify erasure`, with the keys of this log and these services."""
    file = folder / "certificate.json"
    file.write_text(json.dumps(certificate))
    keys = whole.stack.layout.source_keys
    given = ["verify", "erasure", str(file), "--key", _key(_log(whole, certificate))]
    return CliRunner().invoke(app, [*given, "--source-keys", str(keys), *more])


def _log(whole: Whole, certificate: dict[str, Any]) -> str:
    return f"{whole.stack.url('audit')}/log/{certificate['proofs'][0]['shard']}"


def _key(log: str) -> str:
    return httpx.get(f"{log}/key").text.strip()


def _certified(whole: Whole, call_id: str, folder: Path) -> None:
    certificate = until(lambda: _certificate(whole, call_id))
    verified = _verified(whole, certificate, folder)
    assert verified.exit_code == 0, verified.output
    assert "not final" in verified.output
    counts = {each["service"]: each["counts"] for each in certificate["confirmations"]}
    assert counts["ingest"]["objects"] >= 1
    assert counts["transcribe"]["objects"] == 1
    assert counts["audit"]["details"] >= 3
    log = _log(whole, certificate)
    assert verify_log(log, _key(log)).ok
    erased = [item for item in _entries(whole, call_id) if item["erased_at"] is not None]
    assert {item["action"] for item in erased} >= {"recording.sealed", "recording.transcribed"}
    assert all(item["detail"] is None for item in erased)
    # Of the vendor's client that sent the call the id stays: it is no person's (decision 0039).
    assert {item["action"] for item in erased if item["reader"] is not None} == {"recording.sealed"}


def _final_after_a_rotation(whole: Whole, call_id: str, folder: Path) -> set[str]:
    """The keys that the final certificate names as destroyed."""
    certificate = until(lambda: _certificate(whole, call_id))
    assert _verified(whole, certificate, folder, "--final").exit_code == 1
    rotate = ["keys", "rotate", "--grace", "1", "--data", str(whole.stack.layout.folder)]
    rotated = CliRunner().invoke(app, rotate)
    assert rotated.exit_code == 0, rotated.output

    def final() -> dict[str, Any] | None:
        found = _certificate(whole, call_id)
        return found if found is not None and found["final_at"] is not None else None

    certificate = until(final)
    verified = _verified(whole, certificate, folder, "--final")
    assert verified.exit_code == 0, verified.output
    wrapped_by = {kek_id for each in certificate["confirmations"] for kek_id in each["kek_ids"]}
    assert set(certificate["destroyed"]) == wrapped_by != set()
    return wrapped_by


def _entries(whole: Whole, call_id: str) -> list[dict[str, Any]]:
    """All that the auditor finds of the call: each look while waiting is one, so there are pages."""
    found: list[dict[str, Any]] = []
    params: dict[str, Any] | None = {"call_id": call_id}
    with whole.api("auditor", "audit") as api:
        while params is not None:
            page = api.json("GET", "/v1/entries", params=params)
            found += page["items"]
            cursor = page["next_cursor"]
            params = {"call_id": call_id, "cursor": cursor} if cursor else None
    return found
