"""Entries that contradict what is known: other content under a known id, another entry under a known number.

The same entry comes more than once in the normal course of things: from the broker again, or sent again by
the successor of a killed instance, under another number. Neither is a conflict. Where no number and no id is
known already there is nothing to compare, and the database is not asked.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit.batches import Batch, Rejected
from otokura.audit.leaves import Prepared
from otokura.audit.models import Entry
from otokura.shared.audit_events import AuditRecorded
from otokura.shared.canonical_json import canonical_json


async def of_numbers(session: AsyncSession, batch: Batch, known: Collection[tuple[str, int]]) -> list[int]:
    """Which of a batch's entries, not in the log yet, come under a number that another entry had.

    Args:
        session: before the entries are appended, with their sources locked.
        batch: the entries.
        known: numbers of sources that had come before this batch.

    Returns:
        Their places in `batch.prepared`.
    """
    numbered: dict[tuple[str, int], list[int]] = {}
    for place, item in enumerate(batch.prepared):
        numbered.setdefault((item.event.source, item.event.seq), []).append(place)
    doubtful = [
        place for number, places in numbered.items() if number in known or len(places) > 1 for place in places
    ]
    if not doubtful:
        return []
    ids = [batch.prepared[place].event.entry_id for place in doubtful]
    found = await session.exec(select(Entry.entry_id).where(col(Entry.entry_id).in_(ids)))
    in_log = set(found.all())
    taken: dict[tuple[str, int], UUID | None] = dict.fromkeys(known)
    conflicts: list[int] = []
    for place in sorted(doubtful):
        event = batch.prepared[place].event
        holder = taken.setdefault((event.source, event.seq), event.entry_id)
        if event.entry_id not in in_log and holder != event.entry_id:
            conflicts.append(place)
            in_log.add(event.entry_id)  # that it comes again in this batch is no second conflict
    return conflicts


async def of_ids(session: AsyncSession, batch: Batch) -> list[Rejected]:
    """What of an appended batch says something else than the log's entry of the same id."""
    ids = {item.event.entry_id for item in batch.prepared}
    found = await session.exec(select(Entry).where(col(Entry.entry_id).in_(ids)))
    rows = {row.entry_id: row for row in found.all()}
    return [
        Rejected(message, item.event.source, "conflict", "id", "another entry of this id is in the log")
        for item, message in zip(batch.prepared, batch.origins, strict=True)
        if not _same(rows[item.event.entry_id], item)
    ]


def _same(row: Entry, item: Prepared) -> bool:
    """Whether they say the same; source, number and time may differ. What is erased cannot be compared."""
    event = item.event
    if row.recorded == item.recorded:
        return True
    if (row.tenant_id, row.action, row.call_id) != (event.tenant_id, event.action, event.call_id):
        return False
    return row.recorded is None or _content(json.loads(row.recorded)) == _content(_members(event))


def _members(event: AuditRecorded) -> dict[str, Any]:
    return event.model_dump(mode="json", include={"reader", "detail"})


def _content(members: dict[str, Any]) -> Sequence[object]:
    return members["reader"], canonical_json(members["detail"])
