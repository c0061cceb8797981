"""Reads that were counted and have no entry are found; what is late, repeated or killed accuses nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from audit_desk import Desk
from audit_fixtures import Log, MakeAudit
from audit_logs import Scribe, record
from audit_service import AuditService, until
from otokura.audit.progress import Heard, Progress
from otokura.audit.reconciler import Reconciler
from otokura.audit.watch import Watch
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.audit_events import AuditRecorded
from otokura.shared.ids import uuid7
from otokura.shared.read_counts import MOST_TENANTS

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

TENANT, OTHER = uuid7(), uuid7()


@pytest.fixture
def scribe() -> Scribe:
    return Scribe(beginning=datetime.now(UTC))


@pytest.fixture
def desk(log: Log, scribe: Scribe) -> Desk:
    return Desk(log, scribe)


def reads(scribe: Scribe, count: int, tenant_id: UUID = TENANT) -> list[AuditRecorded]:
    return [scribe.entry(tenant_id=tenant_id) for _ in range(count)]


async def accused(desk: Desk) -> list[tuple[str, str, object, object]]:
    """Looks once: source, tenant, reads without an entry, entries."""
    raised = await Reconciler(desk.log.database).look(datetime.now(UTC))
    assert {alert.kind for alert in raised} <= {"unmatched"}
    names = ("tenant_id", "unmatched", "opened")
    return [(alert.source, *(alert.detail[name] for name in names)) for alert in raised]


@pytest.mark.guarantee("L23")
async def test_a_read_without_an_entry_is_found_once(desk: Desk, scribe: Scribe) -> None:
    others = reads(scribe, 2, OTHER)
    await desk.take(*reads(scribe, 3), *others, scribe.counted({TENANT: (4, 0), OTHER: (2, 0)}))
    assert await accused(desk) == [(scribe.source, str(TENANT), 1, 3)]
    assert await accused(desk) == []
    await desk.take(*reads(scribe, 2), scribe.counted({TENANT: (6, 0)}))
    assert await accused(desk) == [], "it is the same one"
    await desk.take(*reads(scribe, 1), scribe.counted({TENANT: (8, 0)}))
    assert await accused(desk) == [(scribe.source, str(TENANT), 2, 6)]


@pytest.mark.guarantee("L23")
async def test_other_entries_and_other_tenants_do_not_stand_in_for_it(desk: Desk, scribe: Scribe) -> None:
    searched = scribe.entry(tenant_id=TENANT, action="calls.searched")
    await desk.take(searched, *reads(scribe, 1, OTHER), scribe.counted({TENANT: (1, 0)}))
    assert await accused(desk) == [(scribe.source, str(TENANT), 1, 0)]


@pytest.mark.guarantee("L23")
async def test_a_read_that_failed_before_its_first_byte_does_not_stand_in_for_it(
    desk: Desk, scribe: Scribe
) -> None:
    await desk.take(*reads(scribe, 2), scribe.counted({TENANT: (2, 1)}))
    assert await accused(desk) == [(scribe.source, str(TENANT), 1, 2)]


@pytest.mark.guarantee("L23")
async def test_entries_that_come_after_the_count_are_waited_for(desk: Desk, scribe: Scribe) -> None:
    first, second, third = reads(scribe, 3)
    await desk.take(scribe.counted({TENANT: (3, 0)}), first)
    assert await accused(desk) == []
    await desk.take(third)
    assert await accused(desk) == []
    await desk.take(second)
    assert await accused(desk) == []
    assert await desk.log.execute("SELECT 1 FROM read_counts WHERE pending") == 0


@pytest.mark.guarantee("L23")
async def test_what_is_under_way_does_not_stand_in_for_a_read_for_ever(desk: Desk, scribe: Scribe) -> None:
    """It comes, and is no read: now it is known that there are two entries, and not three."""
    (first,) = reads(scribe, 1)
    searched = scribe.entry(tenant_id=TENANT, action="calls.searched")
    (third,) = reads(scribe, 1)
    await desk.take(first, third, scribe.counted({TENANT: (3, 0)}))
    assert await accused(desk) == []
    await desk.take(searched)
    assert await accused(desk) == [(scribe.source, str(TENANT), 1, 2)]


@pytest.mark.guarantee("L23")
async def test_a_killed_one_is_not_accused(desk: Desk, scribe: Scribe) -> None:
    """Of its last reads the entries came, and the counts did not; its successor counts from the beginning."""
    await desk.take(*reads(scribe, 3), scribe.counted({TENANT: (3, 0)}), *reads(scribe, 2))
    successor = Scribe(key=scribe.key, beginning=datetime.now(UTC))
    await desk.take(*reads(successor, 1), successor.counted({TENANT: (1, 0)}))
    assert await accused(desk) == []


@pytest.mark.guarantee("L23")
async def test_repeats_and_old_counts_change_nothing(desk: Desk, scribe: Scribe) -> None:
    some = reads(scribe, 3)
    old = scribe.counted({TENANT: (3, 0)})
    more = reads(scribe, 2)
    new = scribe.counted({TENANT: (5, 0)})
    await desk.take(*some, *more, new, old)
    await desk.take(old, *some, old, new)
    assert await accused(desk) == []
    await desk.take(old, new, *more)
    assert await accused(desk) == []


@pytest.mark.guarantee("L23")
async def test_numbers_that_are_missing_are_a_gap_and_not_a_second_alarm(desk: Desk, scribe: Scribe) -> None:
    first, lost, third = reads(scribe, 3)
    await desk.take(first, third, scribe.counted({TENANT: (3, 0)}), scribe.heartbeat(closed=True))
    assert await accused(desk) == [], "they may be under way"
    now, patience = datetime.now(UTC), timedelta(seconds=30)
    progress = Progress()
    progress._heard = {0: Heard(now, now + timedelta(hours=1))}  # pyright: ignore[reportPrivateUsage]
    watch = Watch(desk.log.database, progress, patience=patience, silence=patience)
    assert [alert.kind for alert in await watch.look(now + timedelta(minutes=1))] == ["gap"]
    assert await accused(desk) == []
    await desk.take(lost, *reads(scribe, 1), scribe.counted({TENANT: (5, 0)}))
    assert await accused(desk) == [(scribe.source, str(TENANT), 1, 4)]


@pytest.mark.guarantee("L23")
async def test_after_a_gap_only_what_is_new_is_counted(desk: Desk, scribe: Scribe) -> None:
    """A number that is missing for good settles what is before it: no look counts it all again."""
    first, _, third = reads(scribe, 3)
    await desk.take(first, third, scribe.counted({TENANT: (3, 0)}), scribe.heartbeat(closed=True))
    await desk.log.execute("UPDATE sources SET gaps = jsonb_set(gaps, '{0,alerted}', 'true')")
    assert await accused(desk) == []
    assert await desk.log.rows("SELECT opened, settled FROM read_counts") == [(3, 3)]
    await desk.take(*reads(scribe, 1), scribe.counted({TENANT: (4, 0)}))
    assert await accused(desk) == []
    assert await desk.log.rows("SELECT opened, settled FROM read_counts") == [(4, 4)]


@pytest.mark.guarantee("L11")
async def test_counts_of_more_tenants_than_a_statement_has_room_for_are_taken(log: Log) -> None:
    first = Scribe(beginning=datetime.now(UTC))
    scribes = [first, *(Scribe(key=first.key, beginning=first.beginning) for _ in range(3))]
    desk = Desk(log, first)
    counts = [
        scribe.counted({uuid7(): (1, 0) for _ in range(MOST_TENANTS)}, last_seq=1) for scribe in scribes
    ]
    batch = await desk.take(*(scribe.entry(tenant_id=TENANT) for scribe in scribes), *counts)
    assert batch.rejected == []
    assert await log.rows("SELECT count(*) FROM read_counts") == [(4 * MOST_TENANTS,)]
    assert len(await accused(desk)) + len(await accused(desk)) == 400, "two looks, each of two hundred"
    more = scribes[0].counted({uuid7(): (1, 0) for _ in range(MOST_TENANTS + 1)}, last_seq=1)
    assert len((await desk.take(more)).rejected) == 1


@pytest.mark.guarantee("L11")
@pytest.mark.parametrize("served", [2**53, 2**64])
async def test_counts_beyond_all_numbers_are_set_aside(desk: Desk, scribe: Scribe, served: int) -> None:
    sent = record(scribe.counted({TENANT: (77, 0)}))
    assert sent.value is not None
    hostile = replace(sent, value=sent.value.replace(b"77", b"%d" % served))
    batch = await desk.take(hostile, *reads(scribe, 1))
    assert len(batch.rejected) == 1
    assert await desk.numbers() == [1]


@pytest.fixture(scope="module")
def audit(make_audit: MakeAudit) -> AuditService:
    return make_audit(silence_seconds=8)


@pytest.mark.kafka
@pytest.mark.guarantee("L23")
async def test_over_a_broker_the_one_that_is_unwritten_is_found_and_nobody_else(audit: AuditService) -> None:
    tenant = await audit.add_tenant()
    draft = AuditDraft(action=Action.READ_OPENED, tenant_id=tenant, reader="yamada")
    async with audit.source() as honest, audit.source() as leaking:
        for writer in (honest, leaking):
            for _ in range(5):
                await writer.write(draft)
                writer.reads.serve(tenant)
            await writer.write(draft)
            writer.reads.drop(tenant)
        audit.program.kill()
        leaking.reads.serve(tenant)
        audit.start()
    (alert,) = await audit.alerts(leaking.source)
    assert alert.kind == "unmatched"
    assert (alert.detail["served"], alert.detail["unserved"], alert.detail["opened"]) == (6, 1, 6)
    assert str(alert.tenant_id) == str(tenant)
    compared = "SELECT 1 FROM read_counts WHERE source = :source AND NOT pending"
    await until(lambda: audit.query(compared, source=honest.source))
    assert await audit.query("SELECT 1 FROM alerts WHERE source = :source", source=honest.source) == []
