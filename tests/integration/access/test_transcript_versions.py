"""Versions of a transcript: all are kept, the newest is read, and asking for a new one is written down."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from access_audit import run
from access_calls import Call, store_transcript
from access_service import Access, Tenant, once
from otokura.access.transcriptions.handlers import transcription_progressed
from otokura.shared.events import (
    KeyWrapped,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptionProgressed,
)
from otokura.shared.keys import KeyContext, KeyUse, WrappedDek

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

QUALITY = {"purpose": "quality"}
AT = datetime(2026, 4, 1, tzinfo=UTC)


async def _made(access: Access, call: Call, version: int, about: dict[str, Any]) -> TranscriptCompleted:
    [key] = [event for event in call.events if isinstance(event, KeyWrapped)]
    ids = (call.manifest.tenant_id, call.id)
    wrapped = WrappedDek(key.kek_id, key.wrapped)
    dek = await access.keys.unwrap(wrapped, KeyContext(*ids), KeyUse.READ, "test")
    transcript = call.transcript.model_copy(update={"model": f"model-{version}"})
    async with access.store() as store:
        stored = await store_transcript(store, ids[0], dek, transcript, version)
    values = {**stored, "model": transcript.model, "version": version, "completed_at": AT, **about}
    return TranscriptCompleted(call_id=call.id, tenant_id=ids[0], **values)


def made(access: Access, call: Call, version: int, **about: Any) -> TranscriptCompleted:
    """A version that was stored, as its event tells of it."""
    return run(_made(access, call, version, about))


def failed(call: Call, version: int) -> TranscriptFailed:
    ids = {"call_id": call.id, "tenant_id": call.manifest.tenant_id}
    return TranscriptFailed(**ids, version=version, reason="Speech recognition failed", failed_at=AT)


def ask(access: Access, token: str, **body: Any) -> Any:
    with access.client(token) as client:
        return client.post("/v1/transcriptions", json={"reason": "Better model", **body}, headers=once())


@pytest.mark.guarantee("T73")
def test_the_newest_version_is_read_and_the_older_ones_stay(access: Access, tenant: Tenant) -> None:
    call = tenant.call()
    access.apply(made(access, call, 3), made(access, call, 2))
    with access.client(tenant.person("supervisor").token) as client:
        listed = client.get(f"/v1/calls/{call.id}/transcripts")
        assert [item["version"] for item in listed.json()["items"]] == [3, 2, 1]
        assert access.audit.entries(entry_id=listed.headers["Otokura-Entry-Id"])
        assert client.get(f"/v1/calls/{call.id}").json()["transcript"]["model"] == "model-3"
        url = f"/v1/calls/{call.id}/transcript"
        read = {
            version: client.get(url, params=QUALITY | ({"version": version} if version else {}))
            for version in (None, 1, 2, 3)
        }
        missing = client.get(url, params=QUALITY | {"version": 4})
    assert {version: answer.json()["model"] for version, answer in read.items()} == {
        None: "model-3",
        1: "none",
        2: "model-2",
        3: "model-3",
    }
    assert missing.status_code == 404
    [opened] = access.audit.entries(entry_id=read[2].headers["Otokura-Entry-Id"])
    assert opened["detail"]["version"] == 2
    assert len(access.audit.entries(action="read.opened", call_id=str(call.id))) == len(read)


@pytest.mark.guarantee("T73")
def test_an_older_version_is_read_only_by_who_may_read_the_newest(access: Access, tenant: Tenant) -> None:
    call = tenant.call()
    access.apply(made(access, call, 2))
    url = f"/v1/calls/{call.id}/transcript"
    with access.client(tenant.person("supervisor").token) as client:
        refused = client.get(url, params={"purpose": "training", "version": 1})
    with access.client(access.tenant().person("supervisor").token) as stranger:
        absent = [stranger.get(url, params=QUALITY | {"version": 1})]
        absent.append(stranger.get(f"{url}s"))
    assert refused.status_code == 403
    assert [answer.status_code for answer in absent] == [404, 404]
    assert access.audit.entries(action="read.opened", call_id=str(call.id)) == []


@pytest.mark.guarantee("T73")
def test_in_whatever_order_versions_and_failures_come_the_newest_transcript_is_read(
    access: Access, tenant: Tenant
) -> None:
    call = tenant.call()
    events = [made(access, call, 2), failed(call, 3), made(access, call, 4), failed(call, 5)]
    found: set[tuple[Any, ...]] = set()
    for order in itertools.islice(itertools.permutations(events), 0, 24, 9):
        for table in ("transcripts", "transcript_versions"):
            access.query(f"DELETE FROM {table} WHERE call_id = :id", id=call.id)  # noqa: S608 - constants
        access.apply(*order, *order)
        with access.client(tenant.person("supervisor").token) as client:
            view = client.get(f"/v1/calls/{call.id}").json()["transcript"]
            items = client.get(f"/v1/calls/{call.id}/transcripts").json()["items"]
        found.add((view["model"], *(item["version"] for item in items)))
    assert found == {("model-4", 4, 2)}


@pytest.mark.guarantee("T71")
@pytest.mark.guarantee("T73")
def test_who_asked_for_a_version_and_why_stands_with_it(access: Access, tenant: Tenant) -> None:
    call = tenant.call()
    asked = ask(access, tenant.admin, call_id=str(call.id), model="model-2")
    assert asked.status_code == 201, asked.text
    request = asked.json()
    assert (request["matching"], request["progress"], request["tenant_id"]) == (1, None, str(tenant.id))
    entry = access.audit.entry(action="transcription.requested", tenant_id=str(tenant.id))
    assert entry["detail"]["reason"] == "Better model"
    assert entry["detail"]["request_id"] == request["id"]
    access.apply(made(access, call, 2, request_id=UUID(request["id"])))
    with access.client(tenant.person("supervisor").token) as client:
        newest, first = client.get(f"/v1/calls/{call.id}/transcripts").json()["items"]
    assert newest["asked"]["reason"] == "Better model"
    assert first["asked"] is None
    again = ask(access, tenant.admin, call_id=str(call.id), model="model-2")
    assert again.json()["matching"] == 0, "the model has done it"


@pytest.mark.guarantee("T71")
def test_a_selection_is_counted_before_it_is_asked_for(access: Access, tenant: Tenant) -> None:
    for days in range(3):
        tenant.call(started_at=AT + timedelta(days=days))
    body = {"since": (AT + timedelta(hours=1)).isoformat()}
    with access.client(tenant.admin) as client:
        counted = client.post("/v1/transcriptions/preview", json=body)
        bounded = client.post(
            "/v1/transcriptions/preview", json=body | {"until": (AT + timedelta(days=2)).isoformat()}
        )
        everything = client.post("/v1/transcriptions/preview", json={})
    assert (counted.json(), bounded.json()) == ({"calls": 2}, {"calls": 1})
    assert everything.status_code == 422
    assert access.audit.entries(action="transcription.requested", tenant_id=str(tenant.id)) == []


@pytest.mark.guarantee("T71")
def test_one_tenants_administrator_cannot_ask_for_anothers_calls(access: Access, tenant: Tenant) -> None:
    other = access.tenant()
    call = other.call()
    assert ask(access, tenant.admin, call_id=str(call.id)).json()["matching"] == 0
    assert ask(access, tenant.admin, call_id=str(call.id), tenant_id=str(other.id)).status_code == 422
    theirs = ask(access, other.admin, call_id=str(call.id)).json()
    everybodys = ask(access, access.operator(), call_id=str(call.id))
    assert (everybodys.json()["matching"], everybodys.json()["tenant_id"]) == (1, None)
    with access.client(tenant.admin) as client:
        for one in (theirs["id"], everybodys.json()["id"], uuid4()):
            assert client.get(f"/v1/transcriptions/{one}").status_code == 404
    assert ask(access, tenant.person("supervisor").token, call_id=str(call.id)).status_code == 403


@pytest.mark.guarantee("T71")
def test_requests_are_listed_newest_first_each_to_those_who_may_know_of_them(
    access: Access, tenant: Tenant
) -> None:
    """An administrator sees their own tenant's; nothing is lost or told twice between two pages."""
    other = access.tenant()
    mine = [ask(access, tenant.admin, since=AT.isoformat()).json()["id"] for _ in range(5)]
    theirs = ask(access, other.admin, since=AT.isoformat()).json()["id"]
    everybodys = ask(access, access.operator(), since=AT.isoformat()).json()["id"]
    listed: list[str] = []
    with access.client(tenant.admin) as client:
        cursor: dict[str, str] = {}
        while True:
            page = client.get("/v1/transcriptions", params={"limit": 2, **cursor}).json()
            listed += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert client.get("/v1/transcriptions", params={"cursor": "bm8"}).status_code == 400
    assert listed == mine[::-1]
    with access.client(access.operator()) as client:
        newest = [
            item["id"] for item in client.get("/v1/transcriptions", params={"limit": 2}).json()["items"]
        ]
    assert newest == [everybodys, theirs]
    with access.client(tenant.person("supervisor").token) as client:
        assert client.get("/v1/transcriptions").status_code == 403


@pytest.mark.guarantee("T71")
def test_the_newest_word_on_a_requests_progress_is_shown(access: Access, tenant: Tenant) -> None:
    request = ask(access, tenant.admin, since=AT.isoformat()).json()["id"]
    for version, done in ((2, 5), (1, 0)):
        told = TranscriptionProgressed(
            request_id=UUID(request),
            version=version,
            queued=9 - done,
            running=0,
            done=done,
            failed=1,
            model_available=True,
            at=AT,
        )
        run(note(access, told))
    with access.client(tenant.admin) as client:
        progress = client.get(f"/v1/transcriptions/{request}").json()["progress"]
    assert (progress["queued"], progress["done"], progress["failed"]) == (4, 5, 1)


async def note(access: Access, told: TranscriptionProgressed) -> None:
    async with access.database() as database, database.session() as session:
        await transcription_progressed(session, told, None)  # type: ignore[arg-type] # not looked at
