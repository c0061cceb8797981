"""Routes of retention."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response

from otokura.access.errors import PreconditionRequired
from otokura.access.etags import etag_of, version_of
from otokura.access.lifecycle import retention
from otokura.access.lifecycle.views import RetentionRules
from otokura.access.permission import RetentionManager, tenant_of
from otokura.access.state import State
from otokura.shared.errors import Forbidden, PreconditionFailed, Unauthenticated, Unprocessable
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1/retention", tags=["retention"])


@router.get("", responses=responses(Unauthenticated, Forbidden))
async def get_retention(state: State, admin: RetentionManager, response: Response) -> RetentionRules:
    """How long the tenant keeps what; the ETag is needed to change it."""
    async with state.database.session() as session:
        rules, version = await retention.read(session, tenant_of(admin))
    response.headers["ETag"] = etag_of(version)
    return rules


@router.put(
    "",
    responses=responses(Unauthenticated, Forbidden, PreconditionFailed, Unprocessable, PreconditionRequired),
)
async def put_retention(
    body: RetentionRules,
    state: State,
    admin: RetentionManager,
    response: Response,
    if_match: Annotated[str | None, Header(description="The ETag of the rules as you read them.")] = None,
) -> RetentionRules:
    """Replaces the rules. What is older than they keep it begins to be erased within minutes."""
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag of the rules as you read them.")
    async with state.database.session() as session:
        version = await retention.change(session, body, version_of(if_match), admin)
    response.headers["ETag"] = etag_of(version)
    return body
