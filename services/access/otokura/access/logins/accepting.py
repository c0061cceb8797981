"""How a person accepts an invitation: a password, the key of an app, a code that shows the app has it."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.errors import InvitationOver, TooManyTries
from otokura.access.identity import repository as identity
from otokura.access.identity.ending import end_tokens
from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.secrets import hash_secret, new_secret
from otokura.access.identity.subject import Reader
from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.logins import asking, keys, lockout, passwords, repository, second_factor, tries
from otokura.access.logins.log_in import refused
from otokura.access.logins.models import NEVER, Invitation, Login
from otokura.access.logins.views import Accepted
from otokura.access.permission import entry
from otokura.access.state import AccessState
from otokura.access.tenancy.models import Tenant
from otokura.shared import metrics
from otokura.shared.address import ResolvedAddress
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict, Unprocessable
from otokura.shared.events import TenantSettings
from otokura.shared.keys import WrappedDek
from otokura.shared.outbox import publish_audit

REFUSED = metrics.counter(
    "otokura_access_invitations_refused_total", "Invitations that were forged, used, replaced or too old."
)


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation that may be accepted, and whose it is."""

    invitation: Invitation
    record: PrincipalRecord
    tenant: Tenant

    @property
    def personal(self) -> list[str]:
        """What must not be in the password."""
        login = self.invitation.login
        return [*names(self.record.name), login, login.partition("@")[0], self.tenant.name]


def names(name: str) -> list[str]:
    """A name, and its parts."""
    return [name, *name.split()]


async def accept(
    state: AccessState,
    token: str,
    password: str,
    place: ResolvedAddress,
    throttle: RefusalThrottle,
    *,
    wants_factor: bool,
) -> Accepted:
    """Takes the password, and gives the key of a second factor, to be confirmed; again gives another.

    Raises:
        InvitationOver: there is no such invitation, or no longer.
        Unprocessable: the password is no good one, or the company demands a second factor.
        LoginRefused: the invitation is for a new second factor, and this is not the person's password.
        TooManyTries: too many passwords were wrong.
        Forbidden: they may not log in from there.
    """
    invited = await _find(state, token)
    reader = await asking.person(state, invited.record, place)
    settings = TenantSettings.model_validate(invited.tenant.settings)
    if not wants_factor and settings.require_second_factor:
        raise Unprocessable("Your company demands a second factor: leave second_factor out.")
    async with state.hashing.queue(lockout.network_of(place.address)):
        kept = await _password(state, invited, password, place, throttle)
    key, wrapped = None, None
    if wants_factor:
        key, wrapped = await keys.new_key(state, invited.tenant.id, invited.record.id)
    async with state.database.session() as session:
        invitation, record = await _again(session, token, invited)
        invitation.password_hash = kept
        invitation.kek_id = wrapped.kek_id if wrapped else None
        invitation.wrapped = wrapped.wrapped if wrapped else None
        session.add(invitation)
        if wrapped is None:
            await _complete(session, invitation, record, reader, NEVER)
    uri = second_factor.provisioning_uri(key, invited.invitation.login, invited.tenant.name) if key else None
    return Accepted(
        company=invited.tenant.name,
        login=invited.invitation.login,
        confirmed=wrapped is None,
        secret=base64.b32encode(key).decode() if key else None,
        otpauth_uri=uri,
    )


async def confirm(state: AccessState, token: str, code: str, place: ResolvedAddress) -> None:
    """Makes the login good, and ends the invitation and whatever the person had before.

    Raises:
        InvitationOver: there is no such invitation, or no longer.
        Conflict: it has not been accepted with a password yet, or was again at this moment.
        Unprocessable: the code is not one of now.
        Forbidden: they may not log in from there.
    """
    invited = await _find(state, token)
    reader = await asking.person(state, invited.record, place)
    pending = invited.invitation
    if pending.kek_id is None or pending.wrapped is None:
        raise Conflict("Accept the invitation with a password first.")
    wrapped = WrappedDek(pending.kek_id, pending.wrapped)
    key = await keys.unwrapped(state, wrapped, pending.tenant_id, pending.principal_id)
    async with state.database.session() as session:
        invitation, record = await _again(session, token, invited)
        step = second_factor.step_of(key, code, await identity.now(session), NEVER)
        if invitation.wrapped != wrapped.wrapped:
            raise Conflict("The invitation was accepted again at this moment: use the newer key.")
        if step is None:
            raise Unprocessable("This is not what the app shows now: read the key again, look at its clock.")
        await _complete(session, invitation, record, reader, step)


async def _find(state: AccessState, token: str) -> Invited:
    async with state.database.session() as session:
        found = await repository.invitation(session, hash_secret(token))
    if found is None:
        REFUSED.inc()
        raise _over()
    return Invited(*found)


async def _again(session: AsyncSession, token: str, invited: Invited) -> tuple[Invitation, PrincipalRecord]:
    """The invitation once more: nobody else accepts or withdraws it until the transaction ends."""
    # The person first, as whoever invites or disables them does: or each would wait for the other.
    await identity.principal(session, invited.tenant.id, invited.record.id)
    found = await repository.invitation(session, hash_secret(token), lock=True)
    if found is None:
        raise _over()
    return found[0], found[1]


def _over() -> InvitationOver:
    return InvitationOver(
        "There is no such invitation, or it was used, replaced, or is too old: ask for another one."
    )


async def _password(
    state: AccessState,
    invited: Invited,
    password: str,
    place: ResolvedAddress,
    throttle: RefusalThrottle,
) -> str:
    """The hash to keep: of a new password that is good, or after a reset of the one that there is."""
    if not invited.invitation.keeps_password:
        passwords.check(password, *invited.personal)
        return await state.hashing.hashed(password)
    network = lockout.network_of(place.address)
    async with state.database.session() as session:
        account = await repository.account_of(session, invited.record.id)
    counted_as = tries.account_hash(invited.tenant.name, invited.invitation.login)
    try:
        tried = await tries.begin(state.database, counted_as, network, invited.record.id)
    except TooManyTries:
        await tries.refuse(state, throttle, account, place, "locked")
        raise
    kept = account.login.password_hash if account else None
    if kept is None or not await state.hashing.matches(password, kept):
        await tries.refuse(state, throttle, account, place, "password")
        raise refused()
    async with state.database.session() as session:
        await repository.forgive(session, tried.counted_as, tried.origin)
    return kept


async def _complete(
    session: AsyncSession, invitation: Invitation, record: PrincipalRecord, reader: Reader, step: int
) -> None:
    """Turns what waits in an invitation into the person's login, the only way in from now on."""
    at = await identity.now(session)
    login = await repository.login_of(session, record.id) or Login(
        principal_id=record.id, tenant_id=invitation.tenant_id, name="", password_hash="", changed_at=at
    )
    login.name, login.changed_at, login.reset_at = invitation.login, at, None
    login.password_hash = invitation.password_hash or login.password_hash
    login.kek_id, login.wrapped, login.last_step = invitation.kek_id, invitation.wrapped, step
    session.add(login)
    invitation.accepted_at = at
    invitation.password_hash = invitation.kek_id = invitation.wrapped = None
    session.add(invitation)
    record.secret_sha256, record.old_secret_sha256 = hash_secret(new_secret()), None
    await repository.end_sessions(session, record.id, "invitation")
    await end_tokens(session, record, at)
    about = {"invitation": invitation.id, "login": login.name, "second_factor": login.wrapped is not None}
    await publish_audit(session, entry(Action.INVITATION_ACCEPTED, reader, about))
