"""Routes of zones."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from otokura.access.permission import Configurator, tenant_of
from otokura.access.policy import repository, service
from otokura.access.policy.views import ZoneBody, ZoneList, ZoneView
from otokura.access.state import State
from otokura.shared.errors import Conflict, Forbidden, NotFound, Unauthenticated
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1/zones", tags=["zones"])


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


@router.delete("/{zone_id}", status_code=204, responses=responses(Unauthenticated, Forbidden, NotFound))
async def delete_zone(zone_id: UUID, state: State, admin: Configurator) -> None:
    """Ends a zone; nothing is read from it from now on, and readings under way end."""
    async with state.database.session() as session:
        await service.delete_zone(session, zone_id, admin)
