"""Every table of ingest that keeps wrapped keys. It makes those of calls: its events renew all copies."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.connections.models import StoredConnection
from otokura.ingest.models import Call
from otokura.ingest.starting import key_event
from otokura.ingest.webhooks.models import Webhook, WebhookSecret
from otokura.shared.directory_tables import tenants
from otokura.shared.outbox import publish
from otokura.shared.wrapped_keys import WrappedKeys, table_of

TENANTS = select(tenants.c.tenant_id)


async def tell_of_key(session: AsyncSession, call_id: UUID) -> None:
    """Tells who keeps a copy that the call's key was wrapped anew."""
    newer = update(Call).where(col(Call.id) == call_id).values(key_version=Call.key_version + 1)
    call = (await session.exec(newer.returning(Call))).scalar_one()
    await publish(session, key_event(call))


WRAPPED_KEYS = (
    WrappedKeys(table_of(Call), "id", "wrapped_dek", renewed=tell_of_key),
    WrappedKeys(table_of(StoredConnection), "id", "wrapped_key"),
    WrappedKeys(
        table_of(WebhookSecret),
        "id",
        tenant=select(col(Webhook.tenant_id))
        .where(col(Webhook.id) == col(WebhookSecret.webhook_id))
        .scalar_subquery(),
    ),
)
