"""The gauges say what is so: what waits for a checkpoint and since when, and what is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audit_desk import Desk
from audit_fixtures import YEAR, Log
from audit_logs import Scribe, prepared_entries
from otokura.audit.measuring import Measuring
from otokura.audit.progress import Heard, Progress
from otokura.audit.publisher import Publisher
from otokura.audit.shelf import Shelf
from otokura.audit.siem_receivers import SyslogReceiver
from otokura.audit.watch import Watch
from otokura.shared.errors import Unavailable
from otokura.shared.metrics import REGISTRY
from otokura.shared.objects import ObjectStore

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


def gauge(name: str) -> float:
    value = REGISTRY.get_sample_value(f"otokura_audit_{name}")
    assert value is not None
    return value


async def shift(log: Log, seconds: float) -> None:
    """As if so much time had passed."""
    gone = timedelta(seconds=seconds)
    await log.execute("UPDATE entries SET sequenced_at = sequenced_at - CAST(:gone AS interval)", gone=gone)
    published = "UPDATE log_shards SET published_at = published_at - CAST(:gone AS interval)"
    await log.execute(published, gone=gone)


@pytest.mark.guarantee("L22")
async def test_while_the_bucket_is_away_what_waits_and_since_when_is_measured(log: Log) -> None:
    measuring = Measuring(log.database, Progress())
    await log.append(prepared_entries(Scribe(), 3), YEAR)
    await log.publish()
    await measuring.measure()
    assert (gauge("unpublished_count"), gauge("oldest_unpublished_seconds")) == (0, 0)
    await shift(log, 100)
    await log.append(prepared_entries(Scribe(), 5), YEAR)
    away = ObjectStore("http://127.0.0.1:1", "key", "secret")
    shelf = Shelf(away, log.bucket, timedelta(days=1))
    with pytest.raises(Unavailable):
        await Publisher(log.database, shelf, log.signer, 0.01).publish_all()
    await away.close()
    await shift(log, 50)
    found = await measuring.measure()
    assert (found.unpublished, gauge("unpublished_count")) == (5, 5)
    assert 50 <= gauge("oldest_unpublished_seconds") < 100
    assert gauge("checkpoint_age_seconds") >= 150
    await log.publish()
    await measuring.measure()
    assert (gauge("unpublished_count"), gauge("oldest_unpublished_seconds")) == (0, 0)
    assert gauge("checkpoint_age_seconds") < 50


@pytest.mark.guarantee("L22")
async def test_numbers_that_were_reported_missing_are_counted_until_they_come(log: Log) -> None:
    now = datetime.now(UTC)
    scribe = Scribe(beginning=now)
    desk, measuring = Desk(log, scribe), Measuring(log.database, Progress())
    first, *lost, last = (scribe.entry() for _ in range(5))
    await desk.take(first, last, scribe.heartbeat(closed=True))
    await measuring.measure()
    assert (gauge("gaps_count"), gauge("missing_count")) == (0, 0), "they may be under way"
    progress = Progress()
    patience = timedelta(seconds=30)
    progress._heard = {0: Heard(now, now + timedelta(hours=1))}  # pyright: ignore[reportPrivateUsage]
    watch = Watch(log.database, progress, patience=patience, silence=patience)
    await watch.look(now + timedelta(minutes=1))
    await measuring.measure()
    assert (gauge("gaps_count"), gauge("missing_count")) == (1, 3)
    await desk.take(lost[1])
    await measuring.measure()
    assert (gauge("gaps_count"), gauge("missing_count")) == (2, 2)
    await desk.take(lost[0], lost[2])
    await measuring.measure()
    assert (gauge("gaps_count"), gauge("missing_count")) == (0, 0)


async def test_how_far_a_receiver_is_behind_is_measured_by_who_sends_it_nothing(log: Log) -> None:
    old = SyslogReceiver(name="old", kind="syslog", url="tcp://127.0.0.1:1", from_beginning=True)
    new = old.model_copy(update={"name": "new", "from_beginning": False})
    await log.append(prepared_entries(Scribe(), 7), YEAR)
    await log.execute("INSERT INTO siem_cursors (name, shard, next) VALUES ('old', 2026, 4)")
    await Measuring(log.database, Progress(), [old, new]).measure()
    found = [
        REGISTRY.get_sample_value("otokura_audit_siem_behind_count", {"receiver": name})
        for name in ("old", "new")
    ]
    assert found == [3, 0]
