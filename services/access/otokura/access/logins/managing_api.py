"""Routes by which an administrator looks after people's logins."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from fastapi import APIRouter, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository as identity
from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.subject import Reader
from otokura.access.logins import invitations, repository, sessions
from otokura.access.logins.views import InvitationBody, InvitationCreated, SessionList, SessionView
from otokura.access.permission import PrincipalManager, tenant_of
from otokura.access.state import State
from otokura.shared.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthenticated
from otokura.shared.idempotency import Created, Idempotency
from otokura.shared.problems import responses

router = APIRouter(
    prefix="/v1/principals/{principal_id}",
    tags=["people"],
    responses=responses(Unauthenticated, Forbidden, NotFound),
)


@router.post("/invitation", status_code=201, response_model=InvitationCreated, responses=responses(Conflict))
async def invite(
    principal_id: UUID,
    body: InvitationBody,
    state: State,
    manager: PrincipalManager,
    idempotency: Idempotency,
) -> Response:
    """Invites a person to log in; the token is shown this once. An earlier invitation ends.

    Also for who has forgotten their password: it makes password and second factor new.
    """

    async def create() -> Created:
        lifetime = timedelta(seconds=state.settings.invitation_lifetime_seconds)
        return _once(await invitations.invite(session, principal_id, body.login, lifetime, manager))

    async with state.database.session() as session:
        return await idempotency.run(session, create)


@router.post(
    "/second-factor/reset",
    status_code=201,
    response_model=InvitationCreated,
    responses=responses(BadRequest, Conflict),
)
async def reset_second_factor(
    principal_id: UUID, state: State, manager: PrincipalManager, idempotency: Idempotency
) -> Response:
    """Ends a lost second factor and all sessions at once; with the invitation the person makes a new one.

    They need their password for that, so that the invitation alone is of no use.
    """

    async def create() -> Created:
        lifetime = timedelta(seconds=state.settings.invitation_lifetime_seconds)
        return _once(await invitations.reset_second_factor(session, principal_id, lifetime, manager))

    async with state.database.session() as session:
        return await idempotency.run(session, create)


def _once(made: InvitationCreated) -> Created:
    return Created(made, replay=made.model_copy(update={"token": None}))


@router.get("/sessions")
async def list_sessions(principal_id: UUID, state: State, manager: PrincipalManager) -> SessionList:
    """The sessions of a person that go on."""
    async with state.database.session() as session:
        record = await _principal(session, principal_id, manager)
        found = await repository.sessions(session, record.id)
    return SessionList(items=[SessionView.model_validate(one.model_dump()) for one in found])


@router.delete("/sessions", status_code=204)
async def end_sessions(principal_id: UUID, state: State, manager: PrincipalManager) -> None:
    """Ends all sessions and tokens of a principal at once. They can log in again."""
    async with state.database.session() as session:
        record = await _principal(session, principal_id, manager)
        await sessions.end_all(session, record, manager)


async def _principal(session: AsyncSession, principal_id: UUID, manager: Reader) -> PrincipalRecord:
    record = await identity.principal(session, tenant_of(manager), principal_id)
    if record is None:
        raise NotFound("There is no such principal.")
    return record
