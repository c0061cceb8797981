"""Every query about subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, func, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.feeds.models import FeedJob, FeedRecord, JobState
from otokura.access.tenancy.models import Tenant


async def feeds(session: AsyncSession, tenant_id: UUID) -> Sequence[FeedRecord]:
    """The tenant's feeds, oldest first."""
    mine = (col(FeedRecord.tenant_id) == tenant_id, col(FeedRecord.deleted_at).is_(None))
    return (await session.exec(select(FeedRecord).where(*mine).order_by(col(FeedRecord.id)))).all()


async def feed(
    session: AsyncSession, tenant_id: UUID, feed_id: UUID, *, lock: bool = False
) -> FeedRecord | None:
    """A feed of the tenant; with `lock`, nobody else changes it until the transaction ends."""
    statement = select(FeedRecord).where(
        col(FeedRecord.id) == feed_id,
        col(FeedRecord.tenant_id) == tenant_id,
        col(FeedRecord.deleted_at).is_(None),
    )
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def lock_tenant(session: AsyncSession, tenant_id: UUID) -> Tenant:
    """The tenant; nobody makes or renames a feed of it until the transaction ends."""
    return (await session.exec(select(Tenant).where(Tenant.id == tenant_id).with_for_update())).one()


async def name_is_taken(session: AsyncSession, tenant_id: UUID, name: str) -> bool:
    """Whether a feed of the tenant has this name."""
    taken = select(FeedRecord.id).where(
        col(FeedRecord.tenant_id) == tenant_id,
        col(FeedRecord.name) == name,
        col(FeedRecord.deleted_at).is_(None),
    )
    return (await session.exec(taken)).first() is not None


async def foreign(session: AsyncSession, tenant_id: UUID, principals: Sequence[str]) -> bool:
    """Whether another tenant's feed names one of these readers. Until the transaction ends none begins to."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtext("feed-principals"))))
    theirs = select(FeedRecord.id).where(
        col(FeedRecord.tenant_id) != tenant_id,
        col(FeedRecord.deleted_at).is_(None),
        col(FeedRecord.principals).bool_op("&&")(cast(list(principals), ARRAY(Text))),
    )
    return (await session.exec(theirs)).first() is not None


async def withdraw(session: AsyncSession, feed_id: UUID, reason: str) -> None:
    """Ends what waits to be published to a feed; what is under way looks once more before it sends."""
    waiting = (col(FeedJob.feed_id) == feed_id, col(FeedJob.state) == JobState.QUEUED)
    ended = {"state": JobState.WITHHELD, "reason": reason, "finished_at": func.clock_timestamp()}
    await session.exec(update(FeedJob).where(*waiting).values(**ended))


async def claim_unprovisioned(session: AsyncSession, claim: timedelta) -> FeedRecord | None:
    """A feed whose topic or lists are not as it asks; for `claim` nobody else gets it.

    Of a deleted feed nothing may be under way any more: a late event would make its topic again.
    """
    busy = (
        select(FeedJob.feed_id)
        .where(
            col(FeedJob.feed_id) == col(FeedRecord.id),
            col(FeedJob.state) == JobState.RUNNING,
            col(FeedJob.lease_until) >= func.clock_timestamp(),
        )
        .exists()
    )
    statement = (
        select(FeedRecord)
        .where(
            col(FeedRecord.provisioned_version) != col(FeedRecord.version),
            col(FeedRecord.retry_at) <= func.clock_timestamp(),
            col(FeedRecord.deleted_at).is_(None) | ~busy,
        )
        .order_by(col(FeedRecord.retry_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    found = (await session.exec(statement)).one_or_none()
    if found is not None:
        await _settle(session, found.id, claim)
    return found


async def provisioned(session: AsyncSession, feed_id: UUID, version: int) -> None:
    """The broker is as the feed asked in this version; a change since then is looked at next."""
    await _settle(session, feed_id, timedelta(), provisioned_version=version, problem=None)


async def postpone(session: AsyncSession, feed_id: UUID, problem: str, wait: timedelta) -> None:
    """Says why a feed is not ready, and when it is looked at again."""
    await _settle(session, feed_id, wait, problem=problem)


async def _settle(session: AsyncSession, feed_id: UUID, wait: timedelta, **values: Any) -> None:
    change = update(FeedRecord).where(col(FeedRecord.id) == feed_id)
    await session.exec(change.values(retry_at=func.clock_timestamp() + wait, **values))
