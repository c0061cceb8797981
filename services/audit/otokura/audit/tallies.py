"""Alerts about what may come in floods: one an hour for each kind, source and cause, with a count.

Whoever can write to the audit topic could otherwise fill the alerts, one row a message. The first is
published at once, and again whenever the count has one digit more; the row always has the full count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit import repository
from otokura.audit.models import Alert
from otokura.audit.news import Message
from otokura.shared.audit_events import AlertKind, AuditAlerted
from otokura.shared.outbox import publish

_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Oddity:
    """One message that is one more of something.

    Attributes:
        kind: of the alert.
        source: a service, an instance of one, or the topic: never more of these than the log believes.
        code: the cause: a word of ours.
        message: where it was seen; one that is delivered again counts once.
        detail: of the first, for people: bounded, nothing personal.
    """

    kind: AlertKind
    source: str
    code: str
    message: Message
    detail: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])


async def tally(session: AsyncSession, oddities: Iterable[Oddity], now: datetime) -> list[AuditAlerted]:
    """Counts, in the session's transaction; returns what is published of it.

    Rows are locked in one order, so that replicas wait for each other and never for ever.
    """
    groups: dict[tuple[AlertKind, str, str], list[Oddity]] = {}
    for oddity in oddities:
        groups.setdefault((oddity.kind, oddity.source, oddity.code), []).append(oddity)
    told: list[AuditAlerted] = []
    for (kind, source, code), group in sorted(groups.items()):
        alert = await _count(session, kind, source, code, group, now)
        if alert is not None:
            told.append(alert)
    return told


async def _count(
    session: AsyncSession, kind: AlertKind, source: str, code: str, group: Sequence[Oddity], now: datetime
) -> AuditAlerted | None:
    key = f"{code}/{now.astimezone(UTC):%Y-%m-%dT%H}"
    first = AuditAlerted(kind=kind, source=source, detail=_first(code, group), at=now)
    if await repository.raise_alert(session, first, key):
        return first
    wanted = select(Alert).where(Alert.kind == kind, Alert.source == source, Alert.key == key)
    row = (await session.exec(wanted.with_for_update())).one()
    offsets: dict[str, int] = dict(row.detail["offsets"])
    before = int(row.detail["count"])
    count = before + _note(offsets, group)
    row.detail = {**row.detail, "count": count, "offsets": offsets}
    session.add(row)
    if len(str(count)) == len(str(before)):
        return None
    more = AuditAlerted(kind=kind, source=source, detail=row.detail, at=now)
    await publish(session, more)
    return more


def _first(code: str, group: Sequence[Oddity]) -> dict[str, Any]:
    offsets: dict[str, int] = {}
    count = _note(offsets, group)
    example = {name: _bounded(value) for name, value in group[0].detail.items()}
    message = group[0].message
    where = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
    return {**where, **example, "code": code, "count": count, "offsets": offsets}


def _note(offsets: dict[str, int], group: Sequence[Oddity]) -> int:
    """How many are new; `offsets` has the last one counted of each partition, and is updated."""
    new = 0
    for message in sorted({(odd.message.partition, odd.message.offset) for odd in group}):
        partition, offset = str(message[0]), message[1]
        if offset > offsets.get(partition, -1):
            offsets[partition], new = offset, new + 1
    return new


def _bounded(value: str | int) -> str | int:
    """Short, and without what PostgreSQL does not keep."""
    return (
        value if isinstance(value, int) else value.replace("\0", "\N{REPLACEMENT CHARACTER}")[:_LONGEST_TEXT]
    )
