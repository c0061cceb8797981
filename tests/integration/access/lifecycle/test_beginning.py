"""An erasure begins once, when it may, and nothing of the call comes back to access."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from access_calls import context_of, manifest_of, started_of
from erasures import GONE, requested
from otokura.access.lifecycle.handlers import kek_destroyed
from otokura.access.lifecycle.models import Retention
from otokura.shared.errors import Conflict, NotFound, Poison
from otokura.shared.events import (
    CallEnded,
    CallEvent,
    ErasedKind,
    KekDestroyed,
    KeyWrapped,
    RecordingSealed,
    TranscriptCompleted,
    TranscriptFailed,
)
from otokura.shared.ids import uuid7
from otokura.shared.keys import KeyContext, KeyUse, LocalKeyProvider, create_keyring, new_dek
from otokura.shared.manifest import StoredObject

from .conftest import Lifecycle

pytestmark = pytest.mark.postgres
HASH = "ab" * 32
SERVICES = ("access", "audit", "ingest", "transcribe")


def everything(call_id: UUID, tenant_id: UUID) -> list[CallEvent]:
    """Every event that tells access of a call."""
    started = started_of(call_id, tenant_id)
    ids: dict[str, Any] = {"call_id": call_id, "tenant_id": tenant_id}
    at = started.started_at
    stored = StoredObject(
        bucket="recordings", name="x", media_type="audio/flac", plaintext_bytes=1, plaintext_sha256=HASH
    )
    manifest = manifest_of(started, stored, HASH)
    words = {"bucket": "transcripts", "object": "x", "language": "ja", "turns": 1, "words": 1}
    sizes = {"characters": 1, "duration_ms": 1, "plaintext_bytes": 1, "plaintext_sha256": HASH}
    return [
        started,
        KeyWrapped(**ids, version=1, kek_id="kek-1", wrapped=b"AAAA", commitment=HASH),
        CallEnded(**ids, version=2, ended_at=at),
        RecordingSealed(
            **ids,
            version=4,
            manifest=manifest.model_dump(mode="json"),
            manifest_sha256=manifest.sha256(),
            sealed_at=at,
        ),
        TranscriptCompleted(**ids, version=1, **words, **sizes, engine="t", model="m", completed_at=at),
        TranscriptFailed(**ids, version=2, reason="later", failed_at=at),
    ]


async def rows_of(lifecycle: Lifecycle, call_id: UUID) -> dict[str, int]:
    """How many rows each table has that names the call and keeps something of it."""
    counted: dict[str, int] = {}
    for table in GONE["access"]:
        query = f"SELECT count(*) AS n FROM {table} WHERE call_id = :id"  # noqa: S608 - constants
        [row] = await lifecycle.query(query, id=call_id)
        counted[table] = row["n"]
    return counted


@pytest.mark.guarantee("Z2")
async def test_no_event_of_the_call_brings_anything_back(lifecycle: Lifecycle) -> None:
    call_id = uuid7()
    events = everything(call_id, lifecycle.tenant_id)
    await lifecycle.apply(*events)
    await lifecycle.settle(call_id)
    assert sum((await rows_of(lifecycle, call_id)).values()) == 4
    await lifecycle.ask(call_id)
    await lifecycle.work()
    assert sum((await rows_of(lifecycle, call_id)).values()) == 0
    for event in (*events, *reversed(events)):
        await lifecycle.apply(event)
    await lifecycle.settle(call_id)
    await lifecycle.apply(*await lifecycle.requests())
    assert sum((await rows_of(lifecycle, call_id)).values()) == 0


@pytest.mark.guarantee("Z2")
async def test_events_that_come_while_it_is_erased_leave_nothing(lifecycle: Lifecycle) -> None:
    call_id = await lifecycle.call()
    await lifecycle.ask(call_id)
    events = everything(call_id, lifecycle.tenant_id)
    await asyncio.gather(lifecycle.work(), *(lifecycle.apply(event) for event in events))
    assert sum((await rows_of(lifecycle, call_id)).values()) == 0


async def test_a_live_call_waits_until_it_is_settled(lifecycle: Lifecycle) -> None:
    call_id = await lifecycle.call(settled=False)
    await lifecycle.ask(call_id)
    assert await lifecycle.work() == 1
    [item] = await lifecycle.query("SELECT waits_for FROM erasure_items")
    assert item["waits_for"] == "live"
    await lifecycle.settle(call_id)
    await lifecycle.query("UPDATE erasure_items SET look_at = now()")
    assert await lifecycle.work() == 1
    assert len(await lifecycle.requests()) == 1


async def test_a_call_that_is_asked_for_twice_is_erased_once(lifecycle: Lifecycle) -> None:
    call_id = await lifecycle.call()
    first, second = await lifecycle.ask(call_id), await lifecycle.ask(call_id)
    await asyncio.gather(*(lifecycle.work() for _ in range(4)))
    assert len(await lifecycle.requests()) == 1
    for erasure in (first, second):
        assert (await lifecycle.view(erasure.id)).erasing == 1


async def test_what_has_not_begun_can_be_withdrawn(lifecycle: Lifecycle) -> None:
    held, free = await lifecycle.call(), await lifecycle.call()
    hold = await lifecycle.hold(held)
    erasure = await lifecycle.ask(held, free)
    await lifecycle.work()
    withdrawn = await lifecycle.withdraw(erasure.id)
    assert (withdrawn.withdrawn, withdrawn.erasing, withdrawn.waiting) == (1, 1, 0)
    await lifecycle.lift(held, hold.id)
    assert await lifecycle.work() == 0
    assert [event.call_id for event in await lifecycle.requests()] == [free]
    with pytest.raises(Conflict):
        await lifecycle.withdraw(erasure.id)


async def test_another_tenant_has_no_such_erasure_and_confirms_none(lifecycle: Lifecycle) -> None:
    call_id = await lifecycle.call()
    erasure = await lifecycle.ask(call_id)
    await lifecycle.work()
    [event] = await lifecycle.requests()
    with pytest.raises(Poison):
        await lifecycle.confirm(event.model_copy(update={"tenant_id": uuid7()}), "ingest")
    with pytest.raises(Poison):
        await lifecycle.confirm(event, "somebody")
    lifecycle.tenant_id = uuid7()
    with pytest.raises(NotFound):
        await lifecycle.view(erasure.id)


@pytest.mark.guarantee("Z3")
async def test_it_is_erased_when_every_service_has_confirmed(lifecycle: Lifecycle) -> None:
    call_id = await lifecycle.call()
    erasure = await lifecycle.ask(call_id)
    await lifecycle.work()
    [event] = await lifecycle.requests()
    await lifecycle.confirm(event, *SERVICES[:3], *SERVICES[:2])
    assert (await lifecycle.view(erasure.id)).erasing == 1
    await lifecycle.confirm(event, SERVICES[3])
    assert (await lifecycle.view(erasure.id)).erased == 1


@pytest.mark.guarantee("Z4")
async def test_it_is_final_when_every_key_is_destroyed_and_not_before(lifecycle: Lifecycle) -> None:
    call_id = await lifecycle.call()
    erasure = await lifecycle.ask(call_id)
    await lifecycle.work()
    [event] = await lifecycle.requests()
    await lifecycle.confirm(event, "ingest", kek_id="kek-2")
    await lifecycle.confirm(event, "access", "audit")
    destroyed = [KekDestroyed(kek_id=f"kek-{n}", destroyed_at=datetime.now(UTC)) for n in (1, 2)]
    await _tell(lifecycle, destroyed[0])
    assert await lifecycle.finish() == 0
    await lifecycle.confirm(event, "transcribe")
    assert await lifecycle.finish() == 0
    await _tell(lifecycle, destroyed[1])
    await _tell(lifecycle, destroyed[1])
    assert await lifecycle.finish() == 1
    assert await lifecycle.finish() == 0
    assert (await lifecycle.view(erasure.id)).final == 1
    [entry] = await lifecycle.query("SELECT data FROM outbox WHERE data LIKE '%erasure.final%'")
    assert "kek-1" in entry["data"]
    assert "kek-2" in entry["data"]


@pytest.mark.guarantee("Z4")
async def test_a_copy_of_the_wrapped_key_opens_until_it_is_final_and_not_after(
    lifecycle: Lifecycle, tmp_path: Path
) -> None:
    ring = tmp_path / "keyring.json"
    create_keyring(ring)
    call_id, dek = await lifecycle.call(), new_dek()
    context = KeyContext(lifecycle.tenant_id, call_id)
    copied = await LocalKeyProvider(ring).wrap(dek, context)  # as a topic or a backup has it
    erasure = await lifecycle.ask(call_id)
    await lifecycle.work()
    [event] = await lifecycle.requests()
    await lifecycle.confirm(event, *SERVICES, kek_id=copied.kek_id)
    assert await lifecycle.finish() == 0
    assert await LocalKeyProvider(ring).unwrap(copied, context, KeyUse.READ, "a thief") == dek
    ring.unlink()
    create_keyring(ring)  # with another key: the one that wrapped the copy is destroyed
    await _tell(lifecycle, KekDestroyed(kek_id=copied.kek_id, destroyed_at=datetime.now(UTC)))
    with pytest.raises(NotFound):
        await LocalKeyProvider(ring).unwrap(copied, context, KeyUse.READ, "a thief")
    assert await lifecycle.finish() == 1
    assert (await lifecycle.view(erasure.id)).final == 1


async def _tell(lifecycle: Lifecycle, event: KekDestroyed) -> None:
    async with lifecycle.database.session() as session:
        await kek_destroyed(session, event, context_of(event))


async def _rules(lifecycle: Lifecycle, **kinds: dict[str, int]) -> None:
    async with lifecycle.database.session() as session:
        row = Retention(tenant_id=lifecycle.tenant_id, version=1, rules=kinds, changed_at=datetime.now(UTC))
        await session.merge(row)


@pytest.mark.guarantee("Z5")
async def test_what_is_older_than_it_is_kept_is_asked_to_be_erased(lifecycle: Lifecycle) -> None:
    now = datetime.now(UTC)
    old = [await lifecycle.call(started_at=now - timedelta(days=200 + n)) for n in range(3)]
    held = await lifecycle.call(started_at=now - timedelta(days=300))
    hold = await lifecycle.hold(held)
    await lifecycle.call(started_at=now - timedelta(days=10))
    await lifecycle.call(started_at=now - timedelta(days=300), settled=False)
    assert await lifecycle.retire() == 0
    await _rules(lifecycle, call={"max_days": 180})
    assert await lifecycle.retire(2) == 2
    assert await lifecycle.retire(2) == 1
    assert await lifecycle.retire(2) == 0
    await lifecycle.work()
    assert {event.call_id for event in await lifecycle.requests()} == set(old)
    await lifecycle.lift(held, hold.id)
    assert await lifecycle.retire() == 1
    [row] = await lifecycle.query("SELECT DISTINCT ground, selected_by, requested_by FROM erasures")
    assert (row["ground"], row["selected_by"], row["requested_by"]) == ("retention", "retention", None)


@pytest.mark.guarantee("Z5")
async def test_a_recording_can_go_before_its_transcript(lifecycle: Lifecycle) -> None:
    call_id = uuid7()
    old = started_of(call_id, lifecycle.tenant_id, started_at=datetime.now(UTC) - timedelta(days=200))
    await lifecycle.apply(*everything(call_id, lifecycle.tenant_id)[1:], old)
    await lifecycle.settle(call_id)
    await _rules(lifecycle, recording={"max_days": 180}, transcript={"max_days": 365})
    assert await lifecycle.retire() == 1
    assert await lifecycle.retire() == 0
    await lifecycle.work()
    [event] = await lifecycle.requests()
    assert event.kind is ErasedKind.RECORDING
    [row] = await lifecycle.query("SELECT recording_erased_at, transcript_erased_at FROM calls")
    assert (row["recording_erased_at"] is None, row["transcript_erased_at"] is None) == (False, True)
    assert (await rows_of(lifecycle, call_id))["transcripts"] == 1
    await lifecycle.hold(call_id)  # what is left can still be held
    await lifecycle.apply(requested(call_id, lifecycle.tenant_id, ErasedKind.TRANSCRIPT))
    assert (await rows_of(lifecycle, call_id)) | {"calls": 0, "call_keys": 0} == dict.fromkeys(
        await rows_of(lifecycle, call_id), 0
    )


@pytest.mark.guarantee("Z5")
async def test_a_minimum_is_kept_whoever_asks(lifecycle: Lifecycle) -> None:
    call_id = await lifecycle.call(started_at=datetime.now(UTC) - timedelta(days=20))
    await _rules(lifecycle, recording={"min_days": 30})
    await lifecycle.ask(call_id)
    assert await lifecycle.work() == 1
    [item] = await lifecycle.query("SELECT waits_for FROM erasure_items")
    assert item["waits_for"] == "minimum"
    assert await lifecycle.requests() == []
