"""What is odd about a batch, for the alerts. Nothing of it keeps a good entry out of the log. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from otokura.audit.batches import Batch, Rejected
from otokura.audit.leaves import Prepared
from otokura.audit.news import Message
from otokura.audit.repository import Noticed
from otokura.audit.source_keys import SourceKeys
from otokura.audit.tallies import Oddity
from otokura.shared.audit_events import AlertKind


@dataclass(frozen=True, slots=True)
class Clock:
    """What is told of times.

    Attributes:
        now: this log's.
        ahead: how far a source's clock may be before it.
        late: how long an entry may take to the broker.
        followed: of the partitions that are followed, until when everything was heard: what comes now came
            after that, whatever its producer says.
    """

    now: datetime
    ahead: timedelta
    late: timedelta
    followed: Callable[[int], datetime | None]

    def arrival(self, message: Message) -> datetime | None:
        """When a message reached the broker, at the earliest; None when nobody knows."""
        heard = self.followed(message.partition)
        said = datetime.fromtimestamp(message.timestamp / 1000, UTC) if _plausible(message) else None
        known = [at for at in (heard, said) if at is not None]
        return min(max(known), self.now) if known else None


_LAST_MS = 253_000_000_000_000
"""In the year 9987; beyond 9999 nothing can be computed."""


def _plausible(message: Message) -> bool:
    """Whether a message has a time; 0 and -1 stand for none."""
    sent: int = message.timestamp
    return 0 < sent < _LAST_MS


def of_rejected(rejected: Iterable[Rejected], keys: SourceKeys) -> list[Oddity]:
    """Alerts name a service that the log knows, or the topic: what a message claims to be is an example."""
    found: list[Oddity] = []
    for one in rejected:
        service = one.source.partition("/")[0]
        source = service if keys.knows(service) else one.message.topic
        detail: dict[str, str | int] = {"reason": one.reason}
        if one.source:
            detail["claimed"] = one.source
        found.append(Oddity(one.kind, source, one.code, one.message, detail))
    return found


def of_batch(batch: Batch, noticed: Noticed, conflicts: Collection[int], clock: Clock) -> list[Oddity]:
    """What is odd about entries that are taken: their number, their time, when they come.

    Args:
        batch: the entries.
        noticed: what their numbers told.
        conflicts: places in `batch.prepared` whose number another entry had.
        clock: what is told of times.
    """
    found: list[Oddity] = []
    for place, (item, message) in enumerate(zip(batch.prepared, batch.origins, strict=True)):
        event = item.event
        tell = _Teller(found, item, message)
        if place in conflicts:
            tell("conflict", "number", reason="another entry has this number of its source")
        if (event.source, event.seq) in noticed.late:
            tell("late-entry", "after-its-gap", reason="its number was reported as missing")
        if event.time - clock.now > clock.ahead:
            tell("clock", "ahead", seconds=round((event.time - clock.now).total_seconds()))
        if clock.now - event.time <= clock.late:
            continue  # nothing arrives after now
        arrival = clock.arrival(message)
        if arrival is not None and arrival - event.time > clock.late:
            tell("late-entry", "long-under-way", seconds=round((arrival - event.time).total_seconds()))
    return found


def of_heartbeats(batch: Batch, noticed: Noticed) -> list[Oddity]:
    """Sources that said a smaller number than before."""
    detail = {"reason": "a later heartbeat says a smaller number than one before it"}
    return [
        Oddity("conflict", source, "heartbeat", message, detail)
        for source in sorted(noticed.back)
        if (message := batch.news[source].heartbeat) is not None
    ]


@dataclass(frozen=True, slots=True)
class _Teller:
    """Tells of one entry."""

    found: list[Oddity]
    item: Prepared
    message: Message

    def __call__(self, kind: AlertKind, code: str, **about: str | int) -> None:
        event = self.item.event
        detail = {"entry_id": str(event.entry_id), "seq": event.seq, **about}
        self.found.append(Oddity(kind, event.source, code, self.message, detail))
