"""Routes of tenants and their settings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response

from otokura.access.errors import PreconditionRequired
from otokura.access.etags import etag_of, version_of
from otokura.access.permission import Configurator, TenantManager, tenant_of
from otokura.access.state import State
from otokura.access.tenancy import repository, service
from otokura.access.tenancy.views import SettingsBody, TenantBody, TenantCreated, TenantList, TenantView
from otokura.shared.errors import Conflict, Forbidden, PreconditionFailed, Unauthenticated, Unprocessable
from otokura.shared.events import TenantSettings
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1", tags=["tenancy"])


@router.post(
    "/tenants",
    status_code=201,
    response_model=TenantCreated,
    responses=responses(Unauthenticated, Forbidden, Conflict),
)
async def create_tenant(
    body: TenantBody, state: State, operator: TenantManager, idempotency: Idempotency
) -> Response:
    """A new tenant and its first administrator."""

    async def create() -> Created:
        created = await service.create(session, body, operator)
        kept = created.model_copy(update={"admin": created.admin.model_copy(update={"client_secret": None})})
        return Created(created, replay=kept)

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("/tenants", responses=responses(Unauthenticated, Forbidden))
async def list_tenants(state: State, _operator: TenantManager) -> TenantList:
    """All tenants."""
    async with state.database.session() as session:
        found = await repository.tenants(session)
    return TenantList(items=[TenantView.model_validate(tenant.model_dump()) for tenant in found])


@router.get("/settings", responses=responses(Unauthenticated, Forbidden))
async def get_settings(state: State, admin: Configurator, response: Response) -> TenantSettings:
    """The tenant's settings; the ETag is needed to change them."""
    async with state.database.session() as session:
        settings, version = await service.read_settings(session, tenant_of(admin))
    response.headers["ETag"] = etag_of(version)
    return settings


@router.put(
    "/settings",
    responses=responses(Unauthenticated, Forbidden, PreconditionFailed, Unprocessable, PreconditionRequired),
)
async def put_settings(
    body: SettingsBody,
    state: State,
    admin: Configurator,
    response: Response,
    if_match: Annotated[str | None, Header(description="The ETag of the settings as you read them.")] = None,
) -> TenantSettings:
    """Replaces the tenant's settings."""
    if if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag of the settings as you read them.")
    async with state.database.session() as session:
        version = await service.change_settings(session, body, version_of(if_match), admin)
    response.headers["ETag"] = etag_of(version)
    return body
