"""The queue of deliveries: rows of PostgreSQL, leased by whoever has time, and marked with what came of it.

An endpoint that is slow, or away, may hold up itself and nobody else. So the rows of an endpoint are leased
only up to its bound, counted over all processes, and only one at a time while it fails. The count is exact
because an endpoint's row is locked while its deliveries are leased.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.repository import now
from otokura.ingest.vendor_secrets import SealedSecret
from otokura.ingest.webhooks.models import DisabledReason, Webhook, WebhookSecret, WebhookState
from otokura.ingest.webhooks.sending import Answer
from otokura.ingest.webhooks.service import Verdict
from otokura.shared.ids import uuid7

# Whose rights were taken away is told nothing more; what waits goes out if they are given back.
_ENABLED = """
    w.state = 'enabled'
    AND NOT EXISTS (SELECT 1 FROM clients c WHERE c.client_id = w.client_id AND c.disabled)
    AND NOT EXISTS (SELECT 1 FROM tenants t WHERE t.tenant_id = w.tenant_id AND t.disabled)
"""
_DUE = """
    d.webhook_id = w.id AND d.state = 'pending' AND d.next_attempt_at <= clock_timestamp()
    AND (d.lease_id IS NULL OR d.lease_until <= clock_timestamp())
"""
_ROOM = """
    CASE WHEN w.failing_since IS NULL THEN CAST(:concurrency AS integer) ELSE 1 END - (
        SELECT count(*) FROM webhook_deliveries d
        WHERE d.webhook_id = w.id AND d.lease_id IS NOT NULL AND d.lease_until > clock_timestamp()
    )
"""
# Whom chance leaves out now it takes soon: no endpoint waits for another's place in an order.
_LOCK = text(f"""
    SELECT w.id FROM webhooks w
    WHERE {_ENABLED} AND EXISTS (SELECT 1 FROM webhook_deliveries d WHERE {_DUE}) AND {_ROOM} > 0
    ORDER BY random() LIMIT :slots FOR NO KEY UPDATE OF w SKIP LOCKED
""")  # noqa: S608 - made of constants
# A statement of its own, so that it sees what others leased before the locks were ours.
_LEASE = text(f"""
    WITH chosen AS (
        SELECT due.id FROM webhooks w CROSS JOIN LATERAL (
            SELECT d.id FROM webhook_deliveries d WHERE {_DUE}
            ORDER BY d.next_attempt_at LIMIT greatest({_ROOM}, 0) FOR UPDATE SKIP LOCKED
        ) due
        WHERE w.id = ANY(:webhooks) LIMIT :slots
    )
    UPDATE webhook_deliveries d SET lease_id = :lease_id, lease_until = clock_timestamp() + :lease
    FROM chosen, webhooks w WHERE d.id = chosen.id AND w.id = d.webhook_id
    RETURNING d.id, d.webhook_id, d.event, d.body, d.failures, w.tenant_id, w.url
""")  # noqa: S608 - made of constants
_MARK = text("""
    UPDATE webhook_deliveries SET
        state = :state, attempts = attempts + 1, failures = :failures, last_status = :status,
        last_error = :error, last_attempt_at = clock_timestamp(),
        next_attempt_at = clock_timestamp() + CAST(:pause AS interval), lease_id = NULL, lease_until = NULL
    WHERE id = :id AND lease_id = :lease_id
""")
_PRUNE = text("""
    DELETE FROM webhook_deliveries WHERE id IN (
        SELECT id FROM webhook_deliveries
        WHERE created_at < clock_timestamp() - CAST(:keep AS interval) AND lease_id IS NULL
        LIMIT 1000 FOR UPDATE SKIP LOCKED
    )
""")
_FORGET = text("DELETE FROM webhook_secrets WHERE expires_at < clock_timestamp()")
_OLDEST_DUE = text(f"""
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(oldest.at)), 0) FROM webhooks w
    CROSS JOIN LATERAL (
        SELECT min(d.next_attempt_at) AS at FROM webhook_deliveries d
        WHERE d.webhook_id = w.id AND d.state = 'pending' AND d.next_attempt_at <= clock_timestamp()
    ) oldest
    WHERE {_ENABLED}
""")  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Secret:
    """A signing secret as it lies in the database."""

    id: UUID
    sealed: SealedSecret


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery that this process is to make now, and nobody else until the lease ends."""

    id: UUID
    webhook_id: UUID
    tenant_id: UUID
    event: str
    url: str = field(repr=False)
    body: str
    failures: int
    lease_id: UUID
    secrets: tuple[Secret, ...]
    """All that sign now, the oldest first."""


async def lease(session: AsyncSession, slots: int, concurrency: int, period: timedelta) -> list[Leased]:
    """Take due deliveries.

    Args:
        session: the transaction; the leases count when it is committed.
        slots: how many at most.
        concurrency: how many of one endpoint may be leased at once.
        period: how long others leave them alone.
    """
    connection = await session.connection()
    bounds = {"concurrency": concurrency, "slots": slots}
    webhooks = list((await connection.scalars(_LOCK, bounds)).all())
    if not webhooks:
        return []
    lease_id = uuid7()
    values = {**bounds, "webhooks": webhooks, "lease_id": lease_id, "lease": period}
    rows = (await connection.execute(_LEASE, values)).all()
    secrets = await _secrets(session, {row.webhook_id for row in rows})
    return [
        Leased(
            row.id, row.webhook_id, row.tenant_id, row.event, row.url, row.body, row.failures, lease_id,
            tuple(secrets[row.webhook_id]),
        )
        for row in rows
    ]  # fmt: skip


async def _secrets(session: AsyncSession, webhook_ids: set[UUID]) -> dict[UUID, list[Secret]]:
    signing = text("expires_at IS NULL OR expires_at > clock_timestamp()")
    query = (
        select(WebhookSecret)
        .where(col(WebhookSecret.webhook_id).in_(webhook_ids), signing)
        .order_by(col(WebhookSecret.id))
    )
    found: dict[UUID, list[Secret]] = defaultdict(list)
    for row in (await session.exec(query)).all():
        found[row.webhook_id].append(Secret(row.id, SealedSecret(row.kek_id, row.wrapped, row.ciphertext)))
    return found


async def mark(
    session: AsyncSession, leased: Leased, answer: Answer, verdict: Verdict, disable_after: timedelta
) -> DisabledReason | None:
    """Write what came of an attempt, unless its lease was lost: then it is another's to write.

    Returns:
        Why the endpoint was disabled, if this attempt disabled it.
    """
    # The endpoint's row before the delivery's, as in `lease`: two orders would be a deadlock.
    webhook = await session.get(Webhook, leased.webhook_id, with_for_update={"key_share": True})
    if webhook is None or not await _written(session, leased, answer, verdict):
        return None
    moment = await now(session)
    webhook.failing_since = None if answer.accepted else webhook.failing_since or moment
    reason = _reason(webhook, answer, moment, disable_after)
    if reason is not None:
        webhook.state, webhook.disabled_reason, webhook.disabled_at = WebhookState.DISABLED, reason, moment
    await session.flush()
    return reason


async def _written(session: AsyncSession, leased: Leased, answer: Answer, verdict: Verdict) -> bool:
    values = {
        "id": leased.id,
        "lease_id": leased.lease_id,
        "state": verdict.state,
        "failures": leased.failures + (not answer.accepted),
        "status": answer.status,
        "error": answer.error,
        "pause": verdict.pause,
    }
    return (await (await session.connection()).execute(_MARK, values)).rowcount > 0


def _reason(
    webhook: Webhook, answer: Answer, moment: datetime, disable_after: timedelta
) -> DisabledReason | None:
    """Why the endpoint is to be disabled now; None if it is not, or is already."""
    if webhook.state == WebhookState.DISABLED or webhook.failing_since is None:
        return None
    if answer.gone:
        return DisabledReason.GONE
    return DisabledReason.FAILING if moment - webhook.failing_since >= disable_after else None


async def prune(session: AsyncSession, keep: timedelta) -> int:
    """Delete secrets that sign no more, and some deliveries that are too old to be listed or sent.

    Returns:
        How many deliveries those were.
    """
    await (await session.connection()).execute(_FORGET)
    return (await (await session.connection()).execute(_PRUNE, {"keep": keep})).rowcount


async def oldest_due(session: AsyncSession) -> float:
    """Seconds for which the delivery that waits longest has been due; 0 if none waits."""
    return float(await (await session.connection()).scalar(_OLDEST_DUE) or 0)
