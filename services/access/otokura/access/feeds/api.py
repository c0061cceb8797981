"""Routes of feeds."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response

from otokura.access.errors import BrokerUnguarded, PreconditionRequired
from otokura.access.etags import etag_of, version_of
from otokura.access.feeds import repository, service
from otokura.access.feeds.provisioning import check_guarded
from otokura.access.feeds.views import FeedBody, FeedChange, FeedList, FeedView, Redaction
from otokura.access.identity.subject import Reader
from otokura.access.permission import FeedManager, record_denial, tenant_of
from otokura.access.policy.decided import decide
from otokura.access.policy.denial import denied
from otokura.access.state import AccessState, State
from otokura.shared.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.policy.facts import PolicyAction, TenantFacts
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1/feeds", tags=["feeds"])


@router.post(
    "",
    status_code=201,
    response_model=FeedView,
    responses=responses(Unauthenticated, Forbidden, Conflict, BrokerUnguarded, Unprocessable, Unavailable),
)
async def create_feed(body: FeedBody, state: State, admin: FeedManager, idempotency: Idempotency) -> Response:
    """A new feed; it is ready as soon as the broker has its topic and its lists."""
    admin = await _check_raw(state, admin, body.redaction)
    await check_guarded(state.settings)

    async def create() -> Created:
        record = await service.create(session, body, admin)
        return Created(FeedView.of(record), headers={"ETag": etag_of(record.version)})

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("", responses=responses(Unauthenticated, Forbidden))
async def list_feeds(state: State, admin: FeedManager) -> FeedList:
    """The tenant's feeds."""
    async with state.database.session() as session:
        records = await repository.feeds(session, tenant_of(admin))
    return FeedList(items=[FeedView.of(record) for record in records])


@router.get("/{feed_id}", responses=responses(Unauthenticated, Forbidden, NotFound))
async def get_feed(feed_id: UUID, state: State, admin: FeedManager, response: Response) -> FeedView:
    """One feed; the ETag is needed to change it."""
    async with state.database.session() as session:
        record = await repository.feed(session, tenant_of(admin), feed_id)
    if record is None:
        raise NotFound("There is no such feed.")
    response.headers["ETag"] = etag_of(record.version)
    return FeedView.of(record)


@router.patch(
    "/{feed_id}",
    responses=responses(
        Unauthenticated,
        Forbidden,
        NotFound,
        Conflict,
        PreconditionFailed,
        PreconditionRequired,
        Unprocessable,
    ),
)
async def change_feed(
    feed_id: UUID,
    body: FeedChange,
    state: State,
    admin: FeedManager,
    response: Response,
    *,
    if_match: Annotated[str | None, Header(description="The ETag of the feed as you read it.")] = None,
) -> FeedView:
    """Changes what is given; the rest stays. What waits to be published is published as the feed is then."""
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag of the feed as you read it.")
    async with state.database.session() as session:
        now = await repository.feed(session, tenant_of(admin), feed_id)
    # What is raw stays guarded when something else of it changes; If-Match holds what was looked at here.
    admin = await _check_raw(state, admin, body.redaction or (Redaction(now.redaction) if now else None))
    async with state.database.session() as session:
        record = await service.change(session, feed_id, body, version_of(if_match), admin)
    response.headers["ETag"] = etag_of(record.version)
    return FeedView.of(record)


@router.delete("/{feed_id}", status_code=204, responses=responses(Unauthenticated, Forbidden, NotFound))
async def delete_feed(feed_id: UUID, state: State, admin: FeedManager) -> None:
    """Ends a feed, with its topic and all that is in it. What readers have copied they keep."""
    async with state.database.session() as session:
        await service.delete(session, feed_id, admin)


async def _check_raw(state: AccessState, admin: Reader, redaction: Redaction | None) -> Reader:
    """A feed that gets text as it was said needs a permission of its own; whom that permits it."""
    if redaction is not Redaction.RAW:
        return admin
    action, resource = PolicyAction.MANAGE_RAW_FEEDS, TenantFacts(tenant_of(admin))
    decided = decide(state.policies, admin.facts, action, resource, admin.circumstances())
    if not decided.allowed:
        denial = denied(decided.policies)
        await record_denial(state, admin, denial, action, decided)
        raise denial.error
    return admin.by(decided)
