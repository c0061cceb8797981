"""Gaps and silence: found once, and never where there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from audit_fixtures import Log, NoBroker
from audit_logs import Scribe, keys_of, message
from otokura.audit.handlers import LogConsumer
from otokura.audit.progress import Heard, Progress
from otokura.audit.repository import watched_sources
from otokura.audit.watch import Watch
from otokura.shared.audit_events import AuditHeartbeat, AuditRecorded

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

PATIENCE = timedelta(seconds=30)


class Followed(Progress):
    """A consumer that has followed partition 0 to its end since the given time."""

    def __init__(self, since: datetime) -> None:
        super().__init__()
        self._heard = {0: Heard(since, datetime.max.replace(tzinfo=UTC))}


class Desk:
    """The log's consumer and its watch, with messages handed over directly and time told."""

    def __init__(self, log: Log, *scribes: Scribe) -> None:
        self.log = log
        self.started = datetime.now(UTC)
        self.progress = Followed(self.started)
        self.consumer = LogConsumer(NoBroker(), log.database, keys_of(*scribes), self.progress, lambda: None)
        self.watch = self.new_watch()

    def new_watch(self) -> Watch:
        """As after a restart of the service, had it been back at once."""
        return Watch(self.log.database, self.progress, patience=PATIENCE, silence=PATIENCE)

    async def take(self, *events: AuditRecorded | AuditHeartbeat) -> None:
        await self.consumer.apply([message(event, at) for at, event in enumerate(events)])

    async def alerts_after(self, seconds: float) -> list[tuple[str, dict[str, object]]]:
        raised = await self.watch.look(self.started + timedelta(seconds=seconds))
        return [(alert.kind, alert.detail) for alert in raised]


@pytest.fixture
def scribe() -> Scribe:
    return Scribe(beginning=datetime.now(UTC))


@pytest.fixture
def desk(log: Log, scribe: Scribe) -> Desk:
    return Desk(log, scribe)


@pytest.mark.guarantee("L4")
async def test_a_missing_number_is_reported_once_after_its_time(desk: Desk, scribe: Scribe) -> None:
    first, _lost, third = (scribe.entry() for _ in range(3))
    await desk.take(first, third, scribe.heartbeat(closed=True))
    assert await desk.alerts_after(29) == []
    ((kind, detail),) = await desk.alerts_after(90)
    assert (kind, detail["first"], detail["last"]) == ("gap", 2, 2)
    assert await desk.alerts_after(120) == []
    desk.watch = desk.new_watch()
    assert await desk.alerts_after(3600) == [], "not after a restart either"


async def test_what_was_told_is_looked_at_no_more_until_there_is_news(desk: Desk, scribe: Scribe) -> None:
    async def watched() -> int:
        async with desk.log.database.session() as session:
            return len(await watched_sources(session, [0]))

    await desk.take(scribe.entry(), scribe.entry(seq=3))
    assert await watched() == 1
    assert [kind for kind, _ in await desk.alerts_after(3600)] == ["gap", "silent-source"]
    assert await watched() == 0
    await desk.take(scribe.entry(seq=5))
    assert await watched() == 1


@pytest.mark.guarantee("L16")
async def test_what_comes_after_its_gap_was_reported_is_taken_and_told(desk: Desk, scribe: Scribe) -> None:
    first, lost, third = (scribe.entry() for _ in range(3))
    await desk.take(first, third, scribe.heartbeat(closed=True))
    assert [kind for kind, _ in await desk.alerts_after(90)] == ["gap"]
    await desk.consumer.apply([message(lost, 9)])
    assert (await desk.log.shard()).size == 3
    ((source, detail),) = [told[1:] for told in await desk.log.alerts() if told[0] == "late-entry"]
    assert (source, detail["code"], detail["seq"]) == (scribe.source, "after-its-gap", 2)
    assert await desk.alerts_after(3600) == []


@pytest.mark.guarantee("L4")
async def test_a_killed_ones_tail_that_was_never_sent_is_not_missed(desk: Desk, scribe: Scribe) -> None:
    """It had given numbers 3 and 4, and was killed before the broker had them: no byte was sent for them."""
    sent = scribe.entry(), scribe.entry(), scribe.heartbeat()
    scribe.entry(), scribe.entry()
    successor = Scribe(key=scribe.key, beginning=datetime.now(UTC))
    await desk.take(*sent, successor.entry(), successor.heartbeat(closed=True))
    ((kind, detail),) = await desk.alerts_after(3600)
    assert (kind, detail["last_seq"], detail["missing"]) == ("silent-source", 2, 0)


@pytest.mark.guarantee("L4")
async def test_disorder_and_repeats_are_no_gap(desk: Desk, scribe: Scribe) -> None:
    events = [scribe.entry() for _ in range(6)]
    await desk.take(events[4], events[0], events[1], events[0], scribe.heartbeat())
    await desk.take(events[5], events[3], events[2], events[4], scribe.heartbeat(6, closed=True))
    assert await desk.alerts_after(3600) == []
    assert (await desk.log.shard()).size == 6


@pytest.mark.guarantee("L4")
async def test_one_entry_under_two_numbers_covers_both(desk: Desk, scribe: Scribe) -> None:
    event = scribe.entry()
    await desk.take(event, scribe.entry(entry_id=event.entry_id), scribe.heartbeat(closed=True))
    assert (await desk.log.shard()).size == 1
    assert await desk.alerts_after(3600) == []


@pytest.mark.guarantee("L4")
async def test_numbers_that_a_heartbeat_declares_are_missed(desk: Desk, scribe: Scribe) -> None:
    await desk.take(scribe.entry(), scribe.heartbeat(4, closed=True))
    ((kind, detail),) = await desk.alerts_after(90)
    assert (kind, detail["first"], detail["last"]) == ("gap", 2, 4)


@pytest.mark.guarantee("L4")
async def test_a_source_that_falls_silent_without_closing_is_reported_once(
    desk: Desk, scribe: Scribe
) -> None:
    await desk.take(scribe.entry(), scribe.heartbeat())
    assert await desk.alerts_after(29) == []
    ((kind, detail),) = await desk.alerts_after(90)
    assert (kind, detail["last_seq"], detail["missing"]) == ("silent-source", 1, 0)
    assert await desk.alerts_after(3600) == []


@pytest.mark.guarantee("L4")
async def test_a_source_that_closed_may_be_silent(desk: Desk, scribe: Scribe) -> None:
    await desk.take(scribe.entry(), scribe.heartbeat(closed=True))
    assert await desk.alerts_after(3600) == []


@pytest.mark.guarantee("L4")
async def test_while_the_log_has_not_heard_everything_nothing_is_reported(desk: Desk, scribe: Scribe) -> None:
    """After a restart, with a backlog, or with the broker away, silence and holes prove nothing."""
    await desk.take(scribe.entry(seq=2))
    desk.progress.lost()
    assert await desk.alerts_after(3600) == []
    desk.progress = Followed(desk.started + timedelta(seconds=3590))
    desk.watch = desk.new_watch()
    assert await desk.alerts_after(3600) == []
    assert [kind for kind, _ in await desk.alerts_after(3700)] == ["gap", "silent-source"]


async def test_another_replicas_partitions_are_not_watched(desk: Desk, scribe: Scribe) -> None:
    await desk.consumer.apply([message(scribe.entry(), partition=7)])
    assert await desk.alerts_after(3600) == []


async def test_an_alert_is_published_with_the_transaction_that_raised_it(desk: Desk, scribe: Scribe) -> None:
    await desk.take(scribe.entry(seq=2), scribe.heartbeat(closed=True))
    await desk.alerts_after(90)
    async with desk.log.database.session() as session:
        rows = await (await session.connection()).execute(text("SELECT topic, type, key FROM outbox"))
        assert [tuple(row) for row in rows] == [
            ("otokura.audit.alerts", "otokura.audit.alerted.v1", scribe.source)
        ]


async def test_a_rejected_message_that_comes_again_is_reported_once(desk: Desk) -> None:
    stranger = Scribe("access")
    for _ in range(3):
        await desk.take(stranger.entry(seq=1))
    assert [kind for kind, *_ in await desk.log.alerts()] == ["bad-signature"]
