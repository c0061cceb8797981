"""What routes ask for: who calls, and what the process holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.requests import HTTPConnection, Request

from otokura.ingest.state import State
from otokura.shared.authentication import require
from otokura.shared.errors import Forbidden, Unauthenticated
from otokura.shared.events import Role
from otokura.shared.http import body_limit
from otokura.shared.tokens import Principal


@dataclass(frozen=True)
class Caller:
    """A vendor's client."""

    tenant_id: UUID
    client_id: UUID


async def vendor(
    connection: HTTPConnection, principal: Annotated[Principal, Depends(require(Role.VENDOR))]
) -> Caller:
    """The vendor who calls; ingest serves nobody else. Streams are counted when they take their call."""
    if principal.tenant_id is None:
        raise Forbidden("This credential belongs to no tenant.")
    if connection.scope["type"] == "http":
        await process_state(connection).limits.request(principal.subject, connection.scope)
    return Caller(principal.tenant_id, principal.subject)


async def vendor_by_key(state: State, api_key: str) -> Caller:
    """The vendor whose key came inside a dialect's own messages, because it can send no header.

    Raises:
        Unauthenticated: the key is not valid, or its tenant is not known or disabled.
        Forbidden: it is not a vendor's.
    """
    principal = await state.directory.principal_by_api_key(api_key)
    tenant_id = None if principal is None else principal.tenant_id
    if principal is None or tenant_id is None or not await state.directory.is_active(tenant_id):
        raise Unauthenticated("The API key is not valid.")
    if Role.VENDOR not in principal.roles:
        raise Forbidden("This needs the role vendor.")
    return Caller(tenant_id, principal.subject)


def process_state(connection: HTTPConnection) -> State:
    """What the lifespan made."""
    state: State = connection.app.state.ingest
    return state


Vendor = Annotated[Caller, Depends(vendor)]
IngestState = Annotated[State, Depends(process_state)]


async def upload_limit(request: Request, caller: Vendor, state: IngestState) -> None:
    """An upload has limits of its own: of its size, and of what its client may send in an hour.

    Raises:
        LimitReached: the client has sent so much. An upload under way is not cut.
    """
    length = request.headers.get("content-length", "")
    await state.limits.admit_bytes(caller.client_id, int(length) if length.isdigit() else None)
    counted = await state.limits.meter(caller.client_id)
    body_limit(state.settings.max_upload_bytes, counted)(request)
