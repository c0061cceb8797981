"""Invitations: an administrator makes one, the person accepts it and confirms the second factor with a code.

Nothing changes for the person before the last step: who is invited again logs in as before until then. The
exception is a reset of the second factor, which ends the old one and all sessions at once.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository as identity
from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.secrets import hash_secret, new_secret
from otokura.access.identity.service import PrincipalKind
from otokura.access.identity.subject import Reader
from otokura.access.logins import repository, sessions
from otokura.access.logins.models import NEVER, Invitation
from otokura.access.logins.views import InvitationCreated
from otokura.access.permission import entry, tenant_of
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict, NotFound
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish_audit


async def invite(
    session: AsyncSession, principal_id: UUID, login: str, lifetime: timedelta, manager: Reader
) -> InvitationCreated:
    """Invites a person to choose a password and a second factor; an earlier invitation ends.

    Raises:
        NotFound: the tenant has no such principal.
        Conflict: it is no person, is disabled, or somebody else has the login.
    """
    record = await _person(session, principal_id, manager)
    return await _make(session, record, login, lifetime, manager, keeps_password=False)


async def reset_second_factor(
    session: AsyncSession, principal_id: UUID, lifetime: timedelta, manager: Reader
) -> InvitationCreated:
    """Ends a person's second factor and sessions at once; the password stays, and is needed to accept.

    Raises:
        NotFound: the tenant has no such principal.
        Conflict: it is no person, is disabled, or has no login.
    """
    record = await _person(session, principal_id, manager)
    login = await repository.login_of(session, principal_id)
    if login is None:
        raise Conflict("This person has no login: make an invitation.")
    login.kek_id, login.wrapped, login.last_step = None, None, NEVER
    login.reset_at = login.changed_at = await identity.now(session)
    session.add(login)
    about = {"principal": {"id": record.id, "name": record.name}}
    await publish_audit(session, entry(Action.SECOND_FACTOR_RESET, manager, about))
    await sessions.end_all(session, record, manager)
    return await _make(session, record, login.name, lifetime, manager, keeps_password=True)


async def _person(session: AsyncSession, principal_id: UUID, manager: Reader) -> PrincipalRecord:
    record = await identity.principal(session, tenant_of(manager), principal_id)
    if record is None:
        raise NotFound("There is no such principal.")
    if record.kind != PrincipalKind.PERSON:
        raise Conflict("A client has a secret; only a person logs in.")
    if record.disabled_at is not None:
        raise Conflict("This person is disabled: make another principal.")
    return record


async def _make(
    session: AsyncSession,
    record: PrincipalRecord,
    login: str,
    lifetime: timedelta,
    manager: Reader,
    *,
    keeps_password: bool,
) -> InvitationCreated:
    tenant_id = tenant_of(manager)
    if await repository.login_is_taken(session, tenant_id, login, record.id):
        raise Conflict("Somebody else has this login, or is invited by it.")
    await repository.withdraw_invitations(session, record.id)
    token, at = new_secret(), await identity.now(session)
    invitation = Invitation(
        id=uuid7(),
        tenant_id=tenant_id,
        principal_id=record.id,
        login=login,
        token_sha256=hash_secret(token),
        keeps_password=keeps_password,
        created_at=at,
        expires_at=at + lifetime,
    )
    session.add(invitation)
    await session.flush()
    about = {
        "principal": {"id": record.id, "name": record.name},
        "invitation": invitation.id,
        "login": login,
        "expires_at": invitation.expires_at,
        "keeps_password": keeps_password,
    }
    await publish_audit(session, entry(Action.INVITATION_MADE, manager, about))
    return InvitationCreated.model_validate(invitation.model_dump() | {"token": token})
