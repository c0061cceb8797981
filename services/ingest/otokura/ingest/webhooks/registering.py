"""What a vendor changes about its endpoints: each change is one transaction, with its entry in the log.

Where data of calls goes is worth an entry: the host, never the rest of the URL, which may hold a secret.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.dependencies import Caller
from otokura.ingest.repository import now
from otokura.ingest.state import State
from otokura.ingest.webhooks import repository
from otokura.ingest.webhooks.destination import parse_url
from otokura.ingest.webhooks.models import Webhook, WebhookState
from otokura.ingest.webhooks.signing import new_secret, shown
from otokura.ingest.webhooks.views import WebhookChange, WebhookInput
from otokura.shared.audit import Action, AuditDraft
from otokura.shared.destinations import AddressPolicy
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish_audit


def check_url(state: State, url: str) -> None:
    """Whether webhooks may be sent to such a URL.

    Raises:
        WebhookUrlRefused: it says why.
    """
    settings = state.settings
    parse_url(url, AddressPolicy(settings.webhook_allowed_networks), plain_http=settings.plain_http_allowed)


async def register(
    session: AsyncSession, state: State, vendor: Caller, asked: WebhookInput
) -> tuple[Webhook, str]:
    """A new endpoint, and its secret as the vendor is shown it.

    Raises:
        TooManyWebhooks: the client has as many as it may.
        Unavailable: the key provider is away.
    """
    await repository.check_room(session, vendor, state.settings.webhooks_per_client)
    webhook = Webhook(
        id=uuid7(),
        tenant_id=vendor.tenant_id,
        client_id=vendor.client_id,
        created_at=await now(session),
        **asked.model_dump(mode="json"),
    )
    session.add(webhook)
    await session.flush()
    secret = await _add_secret(session, state, webhook)
    await _write_down(session, Action.WEBHOOK_REGISTERED, webhook, **_destination(webhook))
    return webhook, secret


async def change(session: AsyncSession, vendor: Caller, webhook_id: UUID, changes: WebhookChange) -> Webhook:
    """Change what is given, and nothing else.

    Raises:
        WebhookNotFound: the client has no such endpoint.
    """
    webhook = await repository.find(session, vendor, webhook_id, lock=True)
    if changes.url not in (None, webhook.url):
        webhook.failing_since = None  # the failures were another place's
    for name, value in changes.model_dump(exclude_unset=True, mode="json").items():
        setattr(webhook, name, value)
    await _write_down(session, Action.WEBHOOK_CHANGED, webhook, **_destination(webhook))
    return webhook


async def remove(session: AsyncSession, vendor: Caller, webhook_id: UUID) -> None:
    """Forget an endpoint, with its secrets and deliveries.

    Raises:
        WebhookNotFound: the client has no such endpoint.
    """
    webhook = await repository.find(session, vendor, webhook_id, lock=True)
    await session.delete(webhook)
    await _write_down(session, Action.WEBHOOK_REMOVED, webhook)


async def rotate(
    session: AsyncSession, state: State, vendor: Caller, webhook_id: UUID
) -> tuple[str, datetime]:
    """A new secret as the vendor is shown it, and until when the one before signs as well.

    Raises:
        WebhookNotFound: the client has no such endpoint.
        TooManySecrets: too many would sign at once.
        Unavailable: the key provider is away.
    """
    webhook = await repository.find(session, vendor, webhook_id, lock=True)
    secret = await _add_secret(session, state, webhook)
    await _write_down(session, Action.WEBHOOK_SECRET_CHANGED, webhook)
    return secret, await now(session) + repository.OVERLAP


async def enable(session: AsyncSession, vendor: Caller, webhook_id: UUID) -> Webhook:
    """Start a disabled endpoint again; one that is enabled stays as it is.

    Raises:
        WebhookNotFound: the client has no such endpoint.
    """
    webhook = await repository.find(session, vendor, webhook_id, lock=True)
    if webhook.state != WebhookState.ENABLED:
        await repository.enable(session, webhook, await now(session))
        await _write_down(session, Action.WEBHOOK_ENABLED, webhook)
    return webhook


async def _add_secret(session: AsyncSession, state: State, webhook: Webhook) -> str:
    secret, secret_id = new_secret(), uuid7()
    sealed = await state.secrets.seal(webhook.tenant_id, secret_id, secret)
    await repository.add_secret(session, webhook.id, secret_id, sealed, await now(session))
    return shown(secret)


def _destination(webhook: Webhook) -> dict[str, Any]:
    return {"host": httpx.URL(webhook.url).host, "events": webhook.events}


async def _write_down(session: AsyncSession, action: Action, webhook: Webhook, **detail: Any) -> None:
    draft = AuditDraft(
        action=action,
        tenant_id=webhook.tenant_id,
        reader=str(webhook.client_id),
        detail={"webhook_id": webhook.id, **detail},
    )
    await publish_audit(session, draft)
