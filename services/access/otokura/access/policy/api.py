"""Routes of zones."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from otokura.access.errors import PreconditionRequired, WouldLockYouOut
from otokura.access.etags import etag_of, version_of
from otokura.access.permission import Configurator, tenant_of
from otokura.access.policy import repository, service
from otokura.access.policy.views import ZoneBody, ZoneChange, ZoneList, ZoneView
from otokura.access.state import State
from otokura.shared.errors import Conflict, Forbidden, NotFound, PreconditionFailed, Unauthenticated
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1/zones", tags=["zones"])
Confirm = Annotated[
    bool, Query(description="Do it although you would be outside every zone after it, at once or later.")
]


@router.post(
    "", status_code=201, response_model=ZoneView, responses=responses(Unauthenticated, Forbidden, Conflict)
)
async def create_zone(
    body: ZoneBody, state: State, admin: Configurator, idempotency: Idempotency
) -> Response:
    """A new zone; recordings may be read from it at once."""

    async def create() -> Created:
        record = await service.create_zone(session, body, admin)
        return Created(ZoneView.model_validate(record.model_dump()))

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("", responses=responses(Unauthenticated, Forbidden))
async def list_zones(state: State, admin: Configurator) -> ZoneList:
    """The tenant's zones."""
    async with state.database.session() as session:
        records = await repository.zones(session, tenant_of(admin))
    return ZoneList(items=[ZoneView.model_validate(record.model_dump()) for record in records])


@router.get("/{zone_id}", responses=responses(Unauthenticated, Forbidden, NotFound))
async def get_zone(zone_id: UUID, state: State, admin: Configurator, response: Response) -> ZoneView:
    """One zone; the ETag is needed to change it."""
    async with state.database.session() as session:
        record = await repository.zone(session, tenant_of(admin), zone_id)
    if record is None:
        raise NotFound("There is no such zone.")
    response.headers["ETag"] = etag_of(record.version)
    return ZoneView.model_validate(record.model_dump())


@router.put(
    "/{zone_id}",
    responses=responses(
        Unauthenticated, Forbidden, NotFound, WouldLockYouOut, PreconditionFailed, PreconditionRequired
    ),
)
async def change_zone(
    zone_id: UUID,
    body: ZoneChange,
    state: State,
    admin: Configurator,
    response: Response,
    *,
    confirm: Confirm = False,
    if_match: Annotated[str | None, Header(description="The ETag of the zone as you read it.")] = None,
) -> ZoneView:
    """Replaces networks and times; holds at once, also for readings under way. The name stays."""
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag of the zone as you read it.")
    async with state.database.session() as session:
        record = await service.change_zone(
            session, zone_id, body, version_of(if_match), admin, confirmed=confirm
        )
        view = ZoneView.model_validate(record.model_dump())
    response.headers["ETag"] = etag_of(record.version)
    return view


@router.delete(
    "/{zone_id}",
    status_code=204,
    responses=responses(Unauthenticated, Forbidden, NotFound, WouldLockYouOut),
)
async def delete_zone(zone_id: UUID, state: State, admin: Configurator, *, confirm: Confirm = False) -> None:
    """Ends a zone; nothing is read from it from now on, and readings under way end."""
    async with state.database.session() as session:
        await service.delete_zone(session, zone_id, admin, confirmed=confirm)
