"""What routes ask for: who calls, and what the process holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.requests import HTTPConnection, Request

from otokura.ingest.state import State
from otokura.shared.authentication import require
from otokura.shared.errors import Forbidden
from otokura.shared.events import Role
from otokura.shared.http import body_limit
from otokura.shared.tokens import Principal


@dataclass(frozen=True)
class Caller:
    """A vendor's client."""

    tenant_id: UUID
    client_id: UUID


async def vendor(principal: Annotated[Principal, Depends(require(Role.VENDOR))]) -> Caller:
    """The vendor who calls; ingest serves nobody else."""
    if principal.tenant_id is None:
        raise Forbidden("This credential belongs to no tenant.")
    return Caller(principal.tenant_id, principal.subject)


def process_state(connection: HTTPConnection) -> State:
    """What the lifespan made."""
    state: State = connection.app.state.ingest
    return state


Vendor = Annotated[Caller, Depends(vendor)]
IngestState = Annotated[State, Depends(process_state)]


def upload_limit(request: Request, state: IngestState) -> None:
    """An upload has a limit of its own."""
    body_limit(state.settings.max_upload_bytes)(request)
