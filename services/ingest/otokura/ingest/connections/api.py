"""Routes of connections: what a vendor says once about its phone system."""

from __future__ import annotations

from fastapi import APIRouter, Response, status
from pydantic import BaseModel

from otokura.ingest.connections import repository, service
from otokura.ingest.connections.errors import ConnectionNotFound
from otokura.ingest.connections.views import ConnectionInput, ConnectionView, Dialect
from otokura.ingest.dependencies import IngestState, Vendor
from otokura.shared import errors
from otokura.shared.problems import responses

router = APIRouter(
    prefix="/v1/connections",
    tags=["connections"],
    responses=responses(errors.Unauthenticated, errors.Forbidden, errors.Unavailable),
)


class ConnectionList(BaseModel):
    """A client's connections."""

    items: list[ConnectionView]


@router.get("")
async def list_connections(vendor: Vendor, state: IngestState) -> ConnectionList:
    """Everything that this client registered."""
    async with state.database.session() as session:
        found = await repository.of_client(session, vendor.client_id)
    return ConnectionList(items=[ConnectionView.of(stored) for stored in found])


@router.put(
    "/{dialect}",
    responses={201: {"model": ConnectionView}, **responses(errors.Unprocessable)},
)
async def put_connection(
    dialect: Dialect, asked: ConnectionInput, vendor: Vendor, state: IngestState, response: Response
) -> ConnectionView:
    """Register how a phone system streams. It replaces what was registered; a secret left out stays.

    It counts at the latest one second from now.
    """
    settings = await state.tenant_settings(vendor.tenant_id)
    async with state.database.session() as session:
        stored, new = await service.register(session, state.secrets, vendor, dialect, asked, settings)
    if new:
        response.status_code = status.HTTP_201_CREATED
    return _shown(ConnectionView.of(stored), response)


@router.get("/{dialect}", responses=responses(errors.NotFound))
async def get_connection(
    dialect: Dialect, vendor: Vendor, state: IngestState, response: Response
) -> ConnectionView:
    """Show what is registered, without the secret."""
    async with state.database.session() as session:
        stored = await repository.find(session, vendor.client_id, dialect)
    if stored is None:
        raise ConnectionNotFound(dialect)
    return _shown(ConnectionView.of(stored), response)


@router.delete("/{dialect}", status_code=status.HTTP_204_NO_CONTENT, responses=responses(errors.NotFound))
async def delete_connection(dialect: Dialect, vendor: Vendor, state: IngestState) -> None:
    """Forget it, with its secret. Streams under way go on; new ones are refused within a second."""
    async with state.database.session() as session:
        await service.remove(session, vendor, dialect)


def _shown(view: ConnectionView, response: Response) -> ConnectionView:
    response.headers["Cache-Control"] = "no-store"
    return view
