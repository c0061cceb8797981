"""Routes of credentials that change, and of what a vendor's client may use."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from fastapi import APIRouter, Response

from otokura.access.identity import keys
from otokura.access.identity.secret_change import change_secret
from otokura.access.identity.views import (
    Credentials,
    KeyBody,
    KeyCreated,
    KeyList,
    KeyView,
    LimitsBody,
    SecretBody,
)
from otokura.access.permission import PrincipalManager
from otokura.access.state import State
from otokura.shared.clients import ClientLimits
from otokura.shared.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unprocessable
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.problems import responses

router = APIRouter(
    prefix="/v1/principals/{principal_id}",
    tags=["identity"],
    responses=responses(Unauthenticated, Forbidden, NotFound),
)


@router.post(
    "/keys", status_code=201, response_model=KeyCreated, responses=responses(Conflict, Unprocessable)
)
async def create_key(
    principal_id: UUID, body: KeyBody, state: State, manager: PrincipalManager, idempotency: Idempotency
) -> Response:
    """A further API key for a vendor's client, shown this once. Two may live at once."""

    async def create() -> Created:
        new = await keys.create(session, principal_id, body.expires_at, manager)
        created = KeyCreated.model_validate(new.record.model_dump() | {"api_key": new.key})
        return Created(created, replay=created.model_copy(update={"api_key": None}))

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("/keys")
async def list_keys(principal_id: UUID, state: State, manager: PrincipalManager) -> KeyList:
    """All keys that a client ever had, without themselves."""
    async with state.database.session() as session:
        found = await keys.listed(session, principal_id, manager)
    return KeyList(items=[KeyView.model_validate(key.model_dump()) for key in found])


@router.delete("/keys/{key_id}", status_code=204)
async def withdraw_key(principal_id: UUID, key_id: UUID, state: State, manager: PrincipalManager) -> None:
    """Ends a key: it opens nothing from the next request on. Calls that are being recorded go on."""
    async with state.database.session() as session:
        await keys.withdraw(session, principal_id, key_id, manager)


@router.post("/secret", status_code=201, response_model=Credentials, responses=responses(Conflict))
async def change_client_secret(
    principal_id: UUID, body: SecretBody, state: State, manager: PrincipalManager, idempotency: Idempotency
) -> Response:
    """A new client secret, shown this once."""

    async def create() -> Created:
        overlap = timedelta(seconds=body.overlap_seconds)
        record, secret = await change_secret(session, principal_id, overlap, manager)
        made = Credentials(id=record.id, client_id=record.id, client_secret=secret)
        return Created(made, replay=made.model_copy(update={"client_secret": None}))

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.get("/limits")
async def get_limits(principal_id: UUID, state: State, manager: PrincipalManager) -> ClientLimits:
    """What the client may use of ingest; null: as the installation's settings say."""
    async with state.database.session() as session:
        return await keys.limits(session, principal_id, manager)


@router.put("/limits", responses=responses(Conflict))
async def put_limits(
    principal_id: UUID, body: LimitsBody, state: State, manager: PrincipalManager
) -> ClientLimits:
    """Sets what the client may use of ingest. It never cuts a call that is being recorded."""
    async with state.database.session() as session:
        await keys.set_limits(session, principal_id, body, manager)
    return body
