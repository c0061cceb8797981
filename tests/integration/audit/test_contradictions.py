"""What contradicts what the log knows, and what comes at an odd time: taken where it can be, and told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from audit_desk import Desk
from audit_fixtures import Log
from audit_logs import Scribe
from otokura.audit.progress import Heard, Progress
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


@pytest.fixture
def scribe() -> Scribe:
    return Scribe(beginning=datetime.now(UTC))


@pytest.fixture
def desk(log: Log, scribe: Scribe) -> Desk:
    return Desk(log, scribe)


@pytest.mark.guarantee("L11")
async def test_a_clock_ahead_is_told_and_the_entry_taken(desk: Desk, scribe: Scribe) -> None:
    """Its leaf says what the source says; when it was sequenced stands beside it."""
    ahead = datetime.now(UTC) + timedelta(days=400)
    await desk.take(scribe.entry(time=ahead), scribe.entry())
    (first, leaf, time, sequenced_at), (second, *_) = await desk.rows()
    assert (first, second) == (1, 2)
    assert time == ahead
    assert json.loads(leaf)["time"] == ahead.isoformat().replace("+00:00", "Z")
    assert datetime.now(UTC) - timedelta(minutes=1) < sequenced_at <= datetime.now(UTC)
    assert await desk.alerts() == [("clock", scribe.source, "ahead", 1)]


@pytest.mark.guarantee("L1")
@pytest.mark.guarantee("L11")
async def test_an_id_with_the_same_content_is_a_repeat(desk: Desk, scribe: Scribe) -> None:
    """Also under another number of another instance, as the successor of a killed one sends it."""
    event = scribe.entry()
    successor = Scribe(key=scribe.key, beginning=datetime.now(UTC))
    again = successor.entry(entry_id=event.entry_id)
    batch = await desk.take(event, event, again)
    batch.rejected += (await desk.take(event, again)).rejected
    assert await desk.numbers() == [1]
    assert batch.rejected == []
    assert await desk.alerts() == []


@pytest.mark.guarantee("L11")
@pytest.mark.parametrize("same_batch", [True, False])
@pytest.mark.parametrize(
    "other",
    [{"reader": "suzuki"}, {"detail": {"purpose": "他"}}, {"action": "read.closed"}, {"tenant_id": uuid7()}],
    ids=["reader", "detail", "action", "tenant"],
)
async def test_an_id_with_other_content_changes_nothing(
    desk: Desk, scribe: Scribe, same_batch: bool, other: dict[str, object]
) -> None:
    event = scribe.entry()
    liar = scribe.entry(entry_id=event.entry_id, **other)  # type: ignore[arg-type]
    if same_batch:
        batch = await desk.take(event, liar, scribe.entry())
    else:
        await desk.take(event)
        batch = await desk.take(liar, scribe.entry())
    assert [(one.kind, one.code) for one in batch.rejected] == [("conflict", "id")]
    assert await desk.numbers() == [1, 3]
    assert await desk.alerts() == [("conflict", "access", "id", 1)]
    assert await desk.log.execute("SELECT 1 FROM entries WHERE reader = 'yamada'") == 2


@pytest.mark.guarantee("L11")
@pytest.mark.parametrize("same_batch", [True, False])
async def test_another_entry_under_a_number_is_taken_and_told(
    desk: Desk, scribe: Scribe, same_batch: bool
) -> None:
    """Signed is signed: whoever sends first must not keep another's entry out of the log."""
    event, other = scribe.entry(), scribe.entry(seq=1)
    if same_batch:
        await desk.take(event, other)
    else:
        await desk.take(event)
        await desk.take(other, event)
    assert await desk.numbers() == [1, 1]
    assert await desk.alerts() == [("conflict", scribe.source, "number", 1)]
    await desk.take(event, other)
    assert await desk.alerts() == [("conflict", scribe.source, "number", 1)]


@pytest.mark.guarantee("L11")
async def test_a_heartbeat_that_goes_back_is_told_and_an_old_one_that_comes_again_is_not(
    desk: Desk, scribe: Scribe
) -> None:
    entries = [scribe.entry() for _ in range(3)]
    began = scribe.beginning
    old, new = scribe.heartbeat(2, time=began), scribe.heartbeat(3, time=began + timedelta(seconds=5))
    await desk.take(*entries, old, new)
    await desk.take(old, new, old)
    assert await desk.alerts() == []
    await desk.take(scribe.heartbeat(1, time=began + timedelta(seconds=10)))
    assert await desk.alerts() == [("conflict", scribe.source, "heartbeat", 1)]
    assert await desk.log.execute("SELECT 1 FROM sources WHERE high = 3 AND gaps = '[]'") == 1


class Following(Progress):
    """A consumer that has heard everything until the given time."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self._heard = {0: Heard(until - timedelta(hours=1), until)}


@pytest.mark.guarantee("L16")
@pytest.mark.parametrize("how", ["the producer says so", "it was not there before"])
async def test_an_entry_that_comes_late_is_taken_and_told(log: Log, how: str) -> None:
    now = datetime.now(UTC)
    scribe = Scribe(beginning=now - timedelta(hours=1))
    says_so = how == "the producer says so"
    desk = Desk(log, scribe, progress=None if says_so else Following(now - timedelta(seconds=5)))
    await desk.take(scribe.entry(), sent=now if says_so else scribe.beginning)
    assert await desk.numbers() == [1]
    assert await desk.alerts() == [("late-entry", scribe.source, "long-under-way", 1)]


@pytest.mark.guarantee("L16")
async def test_an_entry_that_waited_for_the_log_is_not_late(log: Log) -> None:
    """The log was away for an hour, and nobody else: the broker had the entry in time."""
    scribe = Scribe(beginning=datetime.now(UTC) - timedelta(hours=1))
    desk = Desk(log, scribe)
    await desk.take(scribe.entry(), sent=scribe.beginning + timedelta(seconds=1))
    assert await desk.alerts() == []
