"""A person changes their own password: with the one that they have, in a session of their own."""

from __future__ import annotations

from dataclasses import dataclass

from otokura.access.errors import TooManyTries
from otokura.access.identity import repository as identity
from otokura.access.identity.subject import Reader
from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.logins import lockout, passwords, repository, sessions, tries
from otokura.access.logins.accepting import names
from otokura.access.logins.log_in import refused
from otokura.access.logins.repository import Account
from otokura.access.permission import entry
from otokura.access.state import AccessState
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict
from otokura.shared.outbox import publish_audit
from otokura.shared.tokens import Principal


@dataclass(frozen=True, slots=True)
class Change:
    """The password as it is said to be, and the new one."""

    password: str
    new_password: str

    def __repr__(self) -> str:
        return "Change()"


async def change(
    state: AccessState, token: Principal, reader: Reader, wanted: Change, throttle: RefusalThrottle
) -> None:
    """Changes the password, and ends all other sessions of the person.

    Raises:
        Conflict: the token was got in no session, or the password was changed meanwhile.
        Unprocessable: the new password is no good one.
        LoginRefused: the password is not theirs.
        TooManyTries: too many were not.
    """
    async with state.database.session() as session:
        account = await repository.account_of(session, token.subject)
    if account is None or token.session_id is None:
        raise Conflict("Only who has logged in with a password changes it.")
    login = account.login
    personal = [*names(account.principal.name), login.name, login.name.partition("@")[0], account.tenant.name]
    passwords.check(wanted.new_password, *personal)
    network = lockout.network_of(reader.place.address)
    counted_as = tries.account_hash(account.tenant.name, login.name)
    async with state.hashing.queue(network):
        kept = await _hashed(state, account, reader, wanted, throttle, counted_as)
    async with state.database.session() as session:
        now = await repository.login_of(session, token.subject)
        if now is None or now.password_hash != login.password_hash:
            raise Conflict("The password was changed at this moment.")
        now.password_hash, now.changed_at = kept, await identity.now(session)
        session.add(now)
        await repository.forgive(session, counted_as, network)
        ended = await sessions.end_others(session, token, "password")
        about = {"session": token.session_id, "ended": ended}
        await publish_audit(session, entry(Action.PASSWORD_CHANGED, reader, about))


async def _hashed(
    state: AccessState,
    account: Account,
    reader: Reader,
    wanted: Change,
    throttle: RefusalThrottle,
    counted_as: str,
) -> str:
    """The new password as it is kept, once the old one was right."""
    network = lockout.network_of(reader.place.address)
    try:
        await tries.begin(state.database, counted_as, network, account.principal.id)
    except TooManyTries:
        await tries.refuse(state, throttle, account, reader.place, "locked")
        raise
    if not await state.hashing.matches(wanted.password, account.login.password_hash):
        await tries.refuse(state, throttle, account, reader.place, "password")
        raise refused()
    return await state.hashing.hashed(wanted.new_password)
