"""Every query that the HTTP interface makes about webhooks. Each is bounded by tenant and client."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, tuple_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.dependencies import Caller
from otokura.ingest.vendor_secrets import SealedSecret
from otokura.ingest.webhooks.errors import DeliveryNotFound, TooManySecrets, TooManyWebhooks, WebhookNotFound
from otokura.ingest.webhooks.models import Delivery, DeliveryState, Webhook, WebhookSecret, WebhookState

OVERLAP = timedelta(hours=24)
"""How long a secret signs beside its successor."""
MAX_SECRETS = 4
"""That sign at once."""


async def webhooks(session: AsyncSession, caller: Caller) -> Sequence[Webhook]:
    """The client's endpoints, oldest first."""
    return (await session.exec(select(Webhook).where(*_own(caller)).order_by(col(Webhook.id)))).all()


async def find(session: AsyncSession, caller: Caller, webhook_id: UUID, *, lock: bool = False) -> Webhook:
    """One of the client's endpoints; with `lock`, nobody else changes it until the transaction ends.

    Raises:
        WebhookNotFound: there is none, or it is another client's.
    """
    query = select(Webhook).where(*_own(caller), col(Webhook.id) == webhook_id)
    found = await session.exec(query.with_for_update(key_share=True) if lock else query)
    webhook = found.one_or_none()
    if webhook is None:
        raise WebhookNotFound(webhook_id)
    return webhook


def _own(caller: Caller) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(Webhook.tenant_id) == caller.tenant_id, col(Webhook.client_id) == caller.client_id


async def check_room(session: AsyncSession, caller: Caller, limit: int) -> None:
    """Whether the client may have one more. Until the transaction ends nobody else adds one.

    Raises:
        TooManyWebhooks: it has as many as it may.
    """
    lock = func.pg_advisory_xact_lock(func.hashtext("webhooks"), func.hashtext(str(caller.client_id)))
    await session.exec(select(lock))
    count = (await session.exec(select(func.count()).select_from(Webhook).where(*_own(caller)))).one()
    if count >= limit:
        raise TooManyWebhooks(limit)


async def add_secret(
    session: AsyncSession, webhook_id: UUID, secret_id: UUID, sealed: SealedSecret, moment: datetime
) -> None:
    """Make this the current secret; the one before signs on for a day.

    Raises:
        TooManySecrets: too many would sign at once.
    """
    own = col(WebhookSecret.webhook_id) == webhook_id
    signing = or_(col(WebhookSecret.expires_at).is_(None), col(WebhookSecret.expires_at) > moment)
    count = (await session.exec(select(func.count()).select_from(WebhookSecret).where(own, signing))).one()
    if count >= MAX_SECRETS:
        raise TooManySecrets(MAX_SECRETS)
    current = col(WebhookSecret.expires_at).is_(None)
    await session.exec(update(WebhookSecret).where(own, current).values(expires_at=moment + OVERLAP))
    session.add(
        WebhookSecret(
            id=secret_id,
            webhook_id=webhook_id,
            kek_id=sealed.kek_id,
            wrapped=sealed.wrapped,
            ciphertext=sealed.ciphertext,
        )
    )
    await session.flush()


async def deliveries(
    session: AsyncSession, webhook_id: UUID, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[Delivery]:
    """Deliveries to the endpoint, newest first, those before a place in that order."""
    query = select(Delivery).where(col(Delivery.webhook_id) == webhook_id)
    if before is not None:
        query = query.where(tuple_(col(Delivery.created_at), col(Delivery.id)) < before)
    newest = query.order_by(col(Delivery.created_at).desc(), col(Delivery.id).desc())
    return (await session.exec(newest.limit(limit))).all()


async def enable(session: AsyncSession, webhook: Webhook, moment: datetime) -> None:
    """Start a locked endpoint again. What waited for it is due at once, with a whole schedule before it."""
    webhook.state, webhook.disabled_reason, webhook.disabled_at = WebhookState.ENABLED, None, None
    webhook.failing_since = None
    await session.flush()
    waiting = (col(Delivery.state) == DeliveryState.PENDING, col(Delivery.lease_id).is_(None))
    await _make_due(session, webhook.id, moment, *waiting)


async def replay(
    session: AsyncSession, webhook_id: UUID, moment: datetime, since: datetime, *, delivered: bool
) -> int:
    """Make due again what was given up since then, or everything that is not under way; how many that is."""
    states = [DeliveryState.FAILED, DeliveryState.DELIVERED] if delivered else [DeliveryState.FAILED]
    which = (col(Delivery.created_at) >= since, col(Delivery.state).in_(states))
    return await _make_due(session, webhook_id, moment, *which)


async def replay_one(session: AsyncSession, webhook_id: UUID, moment: datetime, delivery_id: UUID) -> int:
    """Make one delivery due again; 0 if it is being sent at this moment.

    Raises:
        DeliveryNotFound: the endpoint has no such delivery.
    """
    one = select(Delivery.id).where(col(Delivery.webhook_id) == webhook_id, col(Delivery.id) == delivery_id)
    if (await session.exec(one)).one_or_none() is None:
        raise DeliveryNotFound(delivery_id)
    idle = or_(col(Delivery.lease_id).is_(None), col(Delivery.lease_until) <= moment)
    return await _make_due(session, webhook_id, moment, col(Delivery.id) == delivery_id, idle)


async def _make_due(
    session: AsyncSession, webhook_id: UUID, moment: datetime, *which: ColumnElement[bool]
) -> int:
    """The ids stay: whoever got a delivery already knows it again by its `webhook-id`."""
    statement = (
        update(Delivery)
        .where(col(Delivery.webhook_id) == webhook_id, *which)
        .values(
            state=DeliveryState.PENDING, failures=0, next_attempt_at=moment, lease_id=None, lease_until=None
        )
    )
    return (await session.exec(statement)).rowcount
