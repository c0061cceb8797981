"""Sequencing: PostgreSQL decides which entry has which index.

One transaction inserts the entries, the hashes of the tiles that they fill, and the new state of the tree
by compare-and-set. What it commits is never changed again; tiles and checkpoints only repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, insert, literal, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit.erasing import ERASURE, erased_before, goes_with, reader_left
from otokura.audit.leaves import Prepared
from otokura.audit.merkle import HASH_BYTES, TILE_HEIGHT, Frontier, leaf_hash
from otokura.audit.models import Entry, Shard, TileNode
from otokura.audit.openings import Left, Opening
from otokura.shared.database import copy_rows
from otokura.shared.errors import IntegrityError

HELD_AT_MOST = timedelta(seconds=30)
"""How long a process that stands still (its machine is paused) may keep the others from the log."""


async def hold_at_most(session: AsyncSession, held: timedelta = HELD_AT_MOST) -> None:
    """PostgreSQL ends the transaction, and with it its locks, when nothing is asked in it for so long."""
    limit = "SELECT set_config('idle_in_transaction_session_timeout', :limit, true)"
    await (await session.connection()).execute(text(limit), {"limit": str(int(held.total_seconds() * 1000))})


def frontier_of(shard: Shard) -> Frontier:
    """The tree's right edge, as the shard's row holds it.

    Raises:
        IntegrityError: the row contradicts itself.
    """
    peaks = [shard.peaks[at : at + HASH_BYTES] for at in range(0, len(shard.peaks), HASH_BYTES)]
    try:
        return Frontier(shard.size, peaks)
    except ValueError as error:
        raise IntegrityError(f"The state of shard {shard.shard} is damaged: {error}.") from error


async def append(
    session: AsyncSession, year: int, prepared: Sequence[Prepared], opening: Opening | None = None
) -> int:
    """Appends to the shard of `year`, in the session's transaction, the entries that are not in the log yet.

    Args:
        session: its commit makes the entries part of the log.
        year: the current year; never goes back behind a shard that exists.
        prepared: the entries, in order; the same id may come twice.
        opening: makes the first entry of a shard that has none.

    Returns:
        How many of `prepared` were new.
    """
    shard = await open_shard(session, year)
    fresh = await _unknown(session, prepared)
    if not fresh:
        return 0
    count = len(fresh)
    frontier = frontier_of(shard)
    first = frontier.size
    if first == 0 and opening is not None:
        fresh.insert(0, opening(shard.shard, await _left_before(session, shard.shard)))
    nodes = [
        {"shard": shard.shard, "level": node.height // TILE_HEIGHT, "index": node.index, "hash": hash_}
        for node, hash_ in frontier.extend([leaf_hash(item.leaf) for item in fresh])
    ]
    connection = await session.connection()
    gone = await erased_before(session, {item.event.call_id for item in fresh if item.event.call_id})
    rows = [_row(shard.shard, first + offset, item, gone) for offset, item in enumerate(fresh)]
    await copy_rows(
        session, Entry.metadata.tables["entries"], list(rows[0]), (tuple(row.values()) for row in rows)
    )
    if nodes:
        await connection.execute(insert(TileNode), nodes)
    changed = await connection.execute(
        update(Shard)
        .where(col(Shard.shard) == shard.shard, col(Shard.size) == first)
        .values(size=frontier.size, peaks=b"".join(frontier.peaks))
    )
    if changed.rowcount != 1:
        raise IntegrityError(f"Shard {shard.shard} changed under its lock.")
    return count


async def _left_before(session: AsyncSession, year: int) -> Left | None:
    """The shard before that of `year`, as it was left: nothing is appended to it any more."""
    before = select(Shard).where(Shard.shard < year).order_by(col(Shard.shard).desc()).limit(1)
    found = (await session.exec(before.execution_options(populate_existing=True))).first()
    return None if found is None else (found.shard, frontier_of(found))


async def open_shard(session: AsyncSession, year: int) -> Shard:
    """The newest shard, at least that of `year`, made if it is not there; locked until the commit.

    The one before is locked while it is succeeded, and looked for again under the lock: once there is a
    shard, nothing is appended to an older one, by no replica, whatever its clock says.
    """
    await hold_at_most(session)
    newest = select(Shard).order_by(col(Shard.shard).desc()).limit(1)
    while True:
        latest = (await session.exec(newest)).first()
        if latest is not None:
            locked = select(Shard).where(Shard.shard == latest.shard).with_for_update()
            found = (await session.exec(locked.execution_options(populate_existing=True))).one()
            if (await session.exec(newest)).one().shard != found.shard:
                continue  # it was succeeded while its lock was waited for
            if found.shard >= year:
                return found
        empty = {"shard": year, "size": 0, "peaks": b"", "signed_size": 0, "published_size": 0}
        connection = await session.connection()
        await connection.execute(upsert(Shard).values(empty).on_conflict_do_nothing())


async def _unknown(session: AsyncSession, prepared: Sequence[Prepared]) -> list[Prepared]:
    """Those whose id is not in the log yet, each once. Looked up under the shard's lock."""
    unique: dict[UUID, Prepared] = {}
    for item in prepared:
        unique.setdefault(item.event.entry_id, item)
    # As one array: an IN of a thousand values is a new statement each time.
    ids = literal(list(unique), ARRAY(Uuid))
    found = await session.exec(select(Entry.entry_id).where(col(Entry.entry_id) == any_(ids)))
    for known in found.all():
        del unique[known]
    return list(unique.values())


def _row(shard: int, index: int, item: Prepared, gone: Mapping[UUID, datetime]) -> dict[str, Any]:
    """The row of an entry; of a call that is erased already it holds no more than its leaf says."""
    event = item.event
    erased_at = gone.get(event.call_id) if event.call_id else None
    bare = goes_with(erased_at, event.action, event.time)
    return {
        "shard": shard,
        "index": index,
        "entry_id": event.entry_id,
        "source": event.source,
        "seq": event.seq,
        "time": event.time,
        "tenant_id": event.tenant_id,
        "action": event.action,
        "reader": reader_left(event.action, event.reader) if bare else event.reader,
        "call_id": event.call_id,
        "leaf": item.leaf,
        "salt": None if bare else item.salt,
        "recorded": None if bare else item.recorded,
        "erased_at": erased_at if bare else None,
        "erased_why": ERASURE if bare else None,
    }
