"""The end of a call through the whole of Otokura: held, erased by every service, certified, and final."""

from __future__ import annotations

import json
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
from whole import PATIENCE, Whole, a_call, transcribed, upload

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow]

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
    _final_after_a_rotation(whole, call_id, tmp_path)


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
    assert all(item["detail"] is None and item["reader"] is None for item in erased)


def _final_after_a_rotation(whole: Whole, call_id: str, folder: Path) -> None:
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
