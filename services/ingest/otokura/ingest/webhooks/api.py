"""The HTTP interface of webhooks. A client sees and changes its own endpoints, and no other's."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response, status

from otokura.ingest.dependencies import IngestState, Vendor
from otokura.ingest.repository import now
from otokura.ingest.webhooks import payloads, registering, repository
from otokura.ingest.webhooks.errors import WebhookDisabled
from otokura.ingest.webhooks.models import TEST_EVENT, Delivery, WebhookState
from otokura.ingest.webhooks.views import (
    DeliveryCursor,
    DeliveryView,
    Replay,
    Replayed,
    SecretCreated,
    WebhookChange,
    WebhookCreated,
    WebhookInput,
    WebhookList,
    WebhookView,
)
from otokura.shared import errors
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.ids import uuid7
from otokura.shared.pagination import DEFAULT_LIMIT, CursorText, Limit, Page
from otokura.shared.problems import responses

router = APIRouter(
    prefix="/v1/webhooks",
    tags=["webhooks"],
    responses=responses(errors.Unauthenticated, errors.Forbidden, errors.Unavailable),
)
_CREATING = responses(errors.BadRequest, errors.NotFound, errors.Conflict, errors.Unprocessable)
_NO_STORE = {"Cache-Control": "no-store"}


@router.post("", status_code=status.HTTP_201_CREATED, response_model=WebhookCreated, responses=_CREATING)
async def create_webhook(
    asked: WebhookInput, vendor: Vendor, state: IngestState, idempotency: Idempotency
) -> Response:
    """Register an endpoint. Its secret is in this answer, and never shown again."""
    registering.check_url(state, asked.url)

    async def create() -> Created:
        webhook, secret = await registering.register(session, state, vendor, asked)
        created = WebhookCreated(**WebhookView.of(webhook).model_dump(), secret=secret)
        headers = {"Location": f"/v1/webhooks/{webhook.id}", **_NO_STORE}
        return Created(created, headers=headers, replay=created.model_copy(update={"secret": None}))

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("")
async def list_webhooks(vendor: Vendor, state: IngestState) -> WebhookList:
    """Show the client's endpoints."""
    async with state.database.session() as session:
        found = await repository.webhooks(session, vendor)
    return WebhookList(items=[WebhookView.of(webhook) for webhook in found])


@router.get("/{webhook_id}", responses=responses(errors.NotFound))
async def get_webhook(webhook_id: UUID, vendor: Vendor, state: IngestState) -> WebhookView:
    """Show an endpoint: whether it is enabled, and since when it fails."""
    async with state.database.session() as session:
        return WebhookView.of(await repository.find(session, vendor, webhook_id))


@router.patch("/{webhook_id}", responses=responses(errors.NotFound, errors.Unprocessable))
async def change_webhook(
    webhook_id: UUID, change: WebhookChange, vendor: Vendor, state: IngestState
) -> WebhookView:
    """Change an endpoint. What waits for it goes to the new URL."""
    if change.url is not None:
        registering.check_url(state, change.url)
    async with state.database.session() as session:
        return WebhookView.of(await registering.change(session, vendor, webhook_id, change))


@router.delete("/{webhook_id}", status_code=status.HTTP_204_NO_CONTENT, responses=responses(errors.NotFound))
async def delete_webhook(webhook_id: UUID, vendor: Vendor, state: IngestState) -> None:
    """Remove an endpoint, with its secrets and deliveries."""
    async with state.database.session() as session:
        await registering.remove(session, vendor, webhook_id)


@router.post(
    "/{webhook_id}/secret",
    status_code=status.HTTP_201_CREATED,
    response_model=SecretCreated,
    responses=_CREATING,
)
async def rotate_secret(
    webhook_id: UUID, vendor: Vendor, state: IngestState, idempotency: Idempotency
) -> Response:
    """Make a new secret. For 24 hours requests are signed by it and by the one before."""

    async def create() -> Created:
        secret, until = await registering.rotate(session, state, vendor, webhook_id)
        created = SecretCreated(secret=secret, previous_signs_until=until)
        return Created(created, headers=_NO_STORE, replay=created.model_copy(update={"secret": None}))

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.post(
    "/{webhook_id}/test",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=DeliveryView,
    responses=_CREATING,
)
async def test_webhook(
    webhook_id: UUID, vendor: Vendor, state: IngestState, idempotency: Idempotency
) -> Response:
    """Send an event of type `webhook.test`. What became of it stands among the deliveries."""

    async def create() -> Created:
        webhook = await repository.find(session, vendor, webhook_id, lock=True)
        if webhook.state != WebhookState.ENABLED:
            raise WebhookDisabled(webhook_id)
        moment = await now(session)
        delivery = Delivery(
            id=uuid7(),
            webhook_id=webhook_id,
            event=TEST_EVENT,
            body=payloads.test(webhook_id, moment).text(),
            next_attempt_at=moment,
            created_at=moment,
        )
        session.add(delivery)
        await session.flush()
        return Created(DeliveryView.of(delivery), status=status.HTTP_202_ACCEPTED)

    async with state.database.session() as session:
        response = await idempotency.run(session, create)
    state.to_deliver.set()
    return response


@router.get("/{webhook_id}/deliveries", responses=responses(errors.BadRequest, errors.NotFound))
async def list_deliveries(
    webhook_id: UUID,
    vendor: Vendor,
    state: IngestState,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
) -> Page[DeliveryView]:
    """Show what was sent, or is to be sent, newest first."""
    place = DeliveryCursor.decode(cursor)
    before = (place.created_at, place.id) if place else None
    async with state.database.session() as session:
        await repository.find(session, vendor, webhook_id)
        found = await repository.deliveries(session, webhook_id, before, limit + 1)
    items = [DeliveryView.of(delivery) for delivery in found[:limit]]
    if len(found) <= limit:
        return Page(items=items)
    last = DeliveryCursor(created_at=items[-1].created_at, id=items[-1].id)
    return Page(items=items, next_cursor=last.encode())


@router.post(
    "/{webhook_id}/replay",
    status_code=status.HTTP_202_ACCEPTED,
    responses=responses(errors.NotFound, errors.Unprocessable),
)
async def replay(webhook_id: UUID, asked: Replay, vendor: Vendor, state: IngestState) -> Replayed:
    """Send again what was given up since a time, or one delivery. Each keeps its `webhook-id`."""
    async with state.database.session() as session:
        await repository.find(session, vendor, webhook_id, lock=True)
        moment = await now(session)
        if asked.since is not None:
            delivered = asked.include_delivered
            count = await repository.replay(session, webhook_id, moment, asked.since, delivered=delivered)
        else:
            count = await repository.replay_one(session, webhook_id, moment, asked.one())
    state.to_deliver.set()
    return Replayed(deliveries=count)


@router.post("/{webhook_id}/enable", responses=responses(errors.NotFound))
async def enable_webhook(webhook_id: UUID, vendor: Vendor, state: IngestState) -> WebhookView:
    """Start a disabled endpoint again. What waited for it is sent now; repeating this changes nothing."""
    async with state.database.session() as session:
        enabled = WebhookView.of(await registering.enable(session, vendor, webhook_id))
    state.to_deliver.set()
    return enabled
