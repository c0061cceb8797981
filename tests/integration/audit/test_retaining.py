"""Details go when their time has passed; what is held stays; the log verifies and says what went and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text

import otokura.audit.retaining as module
from audit_fixtures import Log
from audit_logs import Scribe
from audit_service import AuditService, until
from otokura.audit.leaves import prepare
from otokura.audit.progress import Heard, Progress
from otokura.audit.retaining import BEGINNING, Retaining
from otokura.cli.verify import verify_log, verify_receipt
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.audit_events import AuditRecorded
from otokura.shared.directory_tables import tenants
from otokura.shared.events import TenantSettings
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

NOW = datetime.now(UTC)
YEARS = timedelta(days=800)


async def add_tenant(log: Log, days: int) -> UUID:
    tenant_id = uuid7()
    settings = TenantSettings(audit_detail_days=days).model_dump(mode="json")
    row = {"tenant_id": tenant_id, "version": 1, "name": "T", "disabled": False, "settings": settings}
    async with log.database.session() as session:
        await (await session.connection()).execute(insert(tenants).values(row))
    return tenant_id


async def sequenced(log: Log, events: Sequence[AuditRecorded], age: timedelta) -> None:
    """Appends entries as if that had been so long ago."""
    await log.append([prepare(event) for event in events])
    ids = [event.entry_id for event in events]
    await log.execute(
        "UPDATE entries SET sequenced_at = :at WHERE entry_id = ANY(:ids)", at=NOW - age, ids=ids
    )


async def rows(log: Log, tenant_id: UUID) -> list[Any]:
    async with log.database.session() as session:
        statement = text("SELECT * FROM entries WHERE tenant_id = :tenant ORDER BY index")
        return list((await (await session.connection()).execute(statement, {"tenant": tenant_id})).all())


class Following(Progress):
    """A consumer that has heard all, or none of it."""

    def __init__(self, follows: bool = True) -> None:
        super().__init__()
        self._known, self._behind = True, {0: 0}
        self._heard = {0: Heard(BEGINNING, datetime.now(UTC) if follows else BEGINNING)}


def retaining(log: Log, follows: bool = True) -> Retaining:
    return Retaining(log.database, Following(follows), untenanted_days=1_000, look_seconds=1)


@pytest.mark.guarantee("L13")
async def test_old_details_go_young_ones_and_leaves_stay_and_the_log_verifies(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 7)
    scribe = Scribe()
    strict, lenient = await add_tenant(log, 365), await add_tenant(log, 3_650)
    old = [scribe.entry(tenant_id=strict) for _ in range(20)]
    proof = scribe.entry(tenant_id=strict, action="erasure.applied", call_id=uuid7())
    await sequenced(log, [*old, proof], YEARS)
    await sequenced(log, [scribe.entry(tenant_id=lenient)], YEARS)
    await sequenced(log, [scribe.entry(tenant_id=strict)], timedelta(days=364))
    await log.publish()
    leaves = [row.leaf for row in await rows(log, strict)]
    assert await retaining(log).look(NOW) == 20
    after = await rows(log, strict)
    assert [row.leaf for row in after] == leaves
    gone, left = after[:20], after[20:]
    assert all((row.salt, row.recorded, row.reader) == (None, None, None) for row in gone)
    assert {row.erased_why for row in gone} == {"retention"}
    assert all(row.recorded and row.erased_at is None for row in left)
    assert all(row.recorded for row in await rows(log, lenient))
    assert await retaining(log).look(NOW) == 0
    assert verify_log(str(await log.download(tmp_path)), log.signer().vkey).findings == []
    told = await removals(log)
    assert [one["detail"]["details"] for one in told] == [7, 7, 6]
    assert {one["detail"]["why"] for one in told} == {"retention"}


async def removals(log: Log) -> list[dict[str, Any]]:
    """The entries of removals that wait in the outbox."""
    async with log.database.session() as session:
        found = await (await session.connection()).execute(text("SELECT data FROM outbox ORDER BY id"))
        drafts = [json.loads(row.data) for row in found]
    return [draft for draft in drafts if draft.get("action") == "details.removed"]


@pytest.mark.guarantee("L13")
async def test_details_about_a_held_call_stay_until_no_hold_is_left(log: Log) -> None:
    scribe, tenant_id, call_id, hold_id = Scribe(), await add_tenant(log, 365), uuid7(), str(uuid7())
    about: dict[str, Any] = {"tenant_id": tenant_id, "call_id": call_id}
    read, other = scribe.entry(**about), scribe.entry(tenant_id=tenant_id, call_id=uuid7())
    held = scribe.entry(action="hold.set", detail={"hold_id": hold_id, "ends_at": None}, **about)
    await sequenced(log, [read, held, other], YEARS)
    assert await retaining(log).look(NOW) == 1
    assert [row.recorded is not None for row in await rows(log, tenant_id)] == [True, True, False]
    lifted = scribe.entry(action="hold.lifted", detail={"hold_id": hold_id, "reason": "over"}, **about)
    await sequenced(log, [lifted], timedelta())
    assert await retaining(log).look(NOW) == 1
    kept = {row.action: row.recorded is not None for row in await rows(log, tenant_id) if row.call_id}
    assert kept == {"read.opened": False, "hold.set": True, "hold.lifted": True}


@pytest.mark.guarantee("L13")
async def test_nothing_goes_while_a_hold_may_be_on_its_way(log: Log) -> None:
    scribe, tenant_id = Scribe(), await add_tenant(log, 365)
    await sequenced(log, [scribe.entry(tenant_id=tenant_id)], YEARS)
    assert await retaining(log, follows=False).look(NOW) == 0
    assert await retaining(log).look(NOW) == 1


@pytest.mark.guarantee("L13")
async def test_what_makes_a_recording_evidence_goes_with_the_call_alone(log: Log) -> None:
    scribe, tenant_id = Scribe(), await add_tenant(log, 365)
    about: dict[str, Any] = {"tenant_id": tenant_id, "call_id": uuid7()}
    actions = ("recording.sealed", "recording.transcribed", "read.opened")
    await sequenced(log, [scribe.entry(action=action, **about) for action in actions], YEARS)
    assert await retaining(log).look(NOW) == 1
    kept = {row.action for row in await rows(log, tenant_id) if row.recorded is not None}
    assert kept == {"recording.sealed", "recording.transcribed"}


@pytest.mark.guarantee("L13")
async def test_a_hold_that_ended_by_itself_holds_no_more(log: Log) -> None:
    scribe, tenant_id, call_id = Scribe(), await add_tenant(log, 365), uuid7()
    about: dict[str, Any] = {"tenant_id": tenant_id, "call_id": call_id}
    ended = {"hold_id": str(uuid7()), "ends_at": (NOW - timedelta(days=1)).isoformat()}
    held = scribe.entry(action="hold.set", detail=ended, **about)
    await sequenced(log, [scribe.entry(**about), held], YEARS)
    assert await retaining(log).look(NOW) == 1


@pytest.mark.guarantee("L13")
async def test_a_source_whose_clock_is_wrong_loses_no_detail(log: Log) -> None:
    scribe, tenant_id = Scribe(), await add_tenant(log, 365)
    wrong = scribe.entry(tenant_id=tenant_id).model_copy(update={"time": datetime(1970, 1, 1, tzinfo=UTC)})
    await sequenced(log, [wrong], timedelta())
    assert await retaining(log).look(NOW) == 0


async def test_feeds_and_vendors_are_still_named_when_the_detail_is_gone(log: Log) -> None:
    scribe, tenant_id = Scribe(), await add_tenant(log, 365)
    feed, vendor = f"feed/{uuid7()}", str(uuid7())
    told = [
        scribe.entry(tenant_id=tenant_id, action="disclosure.opened", reader=feed),
        scribe.entry(tenant_id=tenant_id, action="recording.sealed", reader=vendor),
        scribe.entry(tenant_id=tenant_id, reader="yamada"),
    ]
    await sequenced(log, told, YEARS)
    await retaining(log).look(NOW)
    assert [row.reader for row in await rows(log, tenant_id)] == [feed, vendor, None]


async def test_two_replicas_remove_each_detail_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 5)
    scribe, tenant_id = Scribe(), await add_tenant(log, 365)
    await sequenced(log, [scribe.entry(tenant_id=tenant_id) for _ in range(60)], YEARS)
    while any(row.recorded for row in await rows(log, tenant_id)):
        await asyncio.gather(retaining(log).look(NOW), retaining(log).look(NOW))
    assert sum(one["detail"]["details"] for one in await removals(log)) == 60


@pytest.mark.kafka
@pytest.mark.guarantee("L13")
async def test_a_removed_detail_is_shown_as_removed_and_its_proof_holds(audit: AuditService) -> None:
    tenant_id = await audit.add_tenant()
    async with audit.source() as writer:
        draft = AuditDraft(action=Action.READ_OPENED, tenant_id=tenant_id, reader="yamada")
        [entry_id] = await audit.write(writer, [draft])
    await audit.covered(entry_id)
    await audit.query(
        "UPDATE entries SET sequenced_at = now() - interval '1826 days' WHERE entry_id = :id", id=entry_id
    )
    # The running service looks, too, and may have been there already.
    later = datetime.now(UTC) + timedelta(hours=1)
    async with audit.database() as database:
        await Retaining(database, Following(), untenanted_days=1_000, look_seconds=1).look(later)
    async with audit.client(tenant_id) as auditor:
        page = (await auditor.get("/v1/entries", params={"action": "read.opened"})).json()
        [item] = page["items"]
        receipt = (await auditor.get(f"/v1/receipts/{entry_id}")).json()

        async def told() -> Any:
            answer = await auditor.get("/v1/entries", params={"action": "details.removed"})
            return answer.json()["items"]

        [removed] = await until(told)
    for shown in (item, receipt):
        assert shown["erased_why"] == "retention"
        assert datetime.fromisoformat(shown["erased_at"]) >= NOW - timedelta(minutes=5)
        assert shown["salt"] is None
    assert (item["detail"], item["reader"], receipt["entry"]) == (None, None, None)
    assert verify_receipt(receipt, audit.vkey).index == item["index"]
    assert removed["detail"]["details"] == 1
