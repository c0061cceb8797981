"""What answers a question: which actions, found by what, and the index that holds them in order.

Actions are written into the statement, not given as parameters: PostgreSQL uses a partial index only where
it can see, when it plans, that the index holds all that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from uuid import UUID

from sqlalchemy import ColumnElement, case, false, literal_column, true, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from otokura.audit.models import CHANGES, DENIALS, Entry
from otokura.audit.repository import Place
from otokura.shared.audit_entries import Action

Bounds = tuple[datetime | None, datetime | None, Place | None]
"""Not before, before, and after which entry the page begins."""

_HEARD = (Action.READ_OPENED, Action.DISCLOSURE_OPENED)
_READ = (
    Action.READ_OPENED,
    Action.CALLS_SEARCHED,
    Action.TRANSCRIPTS_SEARCHED,
    Action.CUSTOMER_SEARCHED,
    Action.DISCLOSURE_OPENED,
)
_SENT = (Action.RECORDING_SEALED, Action.CALL_SETTLED)
_FED = (Action.DISCLOSURE_OPENED, Action.DISCLOSURE_CLOSED)


class Subject(StrEnum):
    """What changes."""

    POLICY = "policy"
    ZONE = "zone"
    HOLD = "hold"
    SETTINGS = "settings"


_CHANGED = {
    Subject.POLICY: (Action.POLICIES_CHANGED,),
    Subject.ZONE: (Action.ZONE_CREATED, Action.ZONE_CHANGED, Action.ZONE_DELETED),
    Subject.HOLD: (Action.HOLD_SET, Action.HOLD_LIFTED),
    Subject.SETTINGS: (Action.SETTINGS_CHANGED, Action.RETENTION_CHANGED),
}
OF_ALL = (Action.POLICIES_CHANGED,)
"""Entries of no tenant that concern every tenant."""


@dataclass(frozen=True)
class Asked:
    """A question.

    Attributes:
        name: as entries tell it.
        actions: what is looked for.
        where: by what.
        of_all: whether entries of no tenant belong to the answer.
        few: whether the actions have an index of their own.
    """

    name: str
    actions: Sequence[str]
    where: tuple[ColumnElement[bool], ...] = ()
    of_all: bool = False
    few: bool = False


def who_heard(call_id: UUID) -> Asked:
    """Who heard a call."""
    return Asked("who-heard", _HEARD, (col(Entry.call_id) == call_id,))


def what_read(reader: str) -> Asked:
    """What a person read."""
    return Asked("what-read", _READ, (col(Entry.reader) == reader,))


def denials(reader: str | None, call_id: UUID | None) -> Asked:
    """What was denied."""
    where: list[ColumnElement[bool]] = []
    if reader is not None:
        where.append(col(Entry.reader) == reader)
    if call_id is not None:
        where.append(col(Entry.call_id) == call_id)
    return Asked("denials", DENIALS, tuple(where), few=True)


def changes(of: Subject | None) -> Asked:
    """What was changed."""
    actions = CHANGES if of is None else _CHANGED[of]
    return Asked("changes", actions, of_all=of in (None, Subject.POLICY), few=True)


def sent_by(vendor: UUID) -> Asked:
    """What a vendor sent."""
    return Asked("vendor-deliveries", _SENT, (col(Entry.reader) == str(vendor),))


def gone_to(feed: UUID) -> Asked:
    """What went to a feed."""
    return Asked("feed-deliveries", _FED, (col(Entry.reader) == f"feed/{feed}",))


async def entries(
    session: AsyncSession, tenant_id: UUID | None, asked: Asked, bounds: Bounds, limit: int
) -> list[Entry]:
    """A tenant's entries that answer, newest first."""
    found = list((await session.exec(statement(tenant_id, asked, bounds, limit))).all())
    if not asked.of_all or tenant_id is None:
        return found
    common = Asked(asked.name, OF_ALL, asked.where, few=True)
    found += (await session.exec(statement(None, common, bounds, limit))).all()
    return sorted(found, key=attrgetter("time", "shard", "index"), reverse=True)[:limit]


def statement(tenant_id: UUID | None, asked: Asked, bounds: Bounds, limit: int) -> SelectOfScalar[Entry]:
    """The query: one index, read from its newest end."""
    since, until, before = bounds
    wanted: list[ColumnElement[str]] = [literal_column(f"'{action}'") for action in asked.actions]
    chosen: ColumnElement[bool] = col(Entry.action).in_(wanted)
    if not asked.few:
        # One index says by whom or about what, and the actions only filter. As an expression they are in no
        # index, and PostgreSQL expects half of what it reads to be asked for: it reads that index in order.
        # It takes actions and readers to be independent otherwise, and sorts all that another index gives.
        chosen = case((chosen, true()), else_=false())
    query = select(Entry).where(col(Entry.tenant_id) == tenant_id, chosen, *asked.where)
    if since is not None:
        query = query.where(col(Entry.time) >= since)
    if until is not None:
        query = query.where(col(Entry.time) < until)
    if before is not None:
        query = query.where(tuple_(col(Entry.time), col(Entry.shard), col(Entry.index)) < before)
    newest_first = (col(Entry.time).desc(), col(Entry.shard).desc(), col(Entry.index).desc())
    return query.order_by(*newest_first).limit(limit)
