"""A login: tries, password and code, may they, written down, session, token; in this order.

Whatever is wrong, the same work is done and the same is answered: nobody learns which logins there are, nor
whether a password was right. The try counts before anything is looked at; a code is used up when it was
right; the entry is acknowledged before there is a session.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from otokura.access.errors import LoginRefused, SecondFactorNeeded, TooManyTries
from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.logins import lockout, repository, second_factor, sessions, tries
from otokura.access.logins.keys import app_key
from otokura.access.logins.models import NEVER
from otokura.access.logins.repository import Account
from otokura.access.logins.tries import Try
from otokura.access.logins.views import SessionTokens
from otokura.access.state import AccessState
from otokura.shared.address import ResolvedAddress

_NO_FACTOR = "no-second-factor"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody says of themselves, and from where."""

    company: str
    login: str
    password: str
    code: str | None
    device: str | None
    place: ResolvedAddress

    def __repr__(self) -> str:
        return f"Attempt({self.place.address})"

    @property
    def network(self) -> str:
        """What tries count by."""
        return lockout.network_of(self.place.address)

    @property
    def counted_as(self) -> str:
        """The account that tries count for."""
        return tries.account_hash(self.company, self.login)


async def log_in(state: AccessState, attempt: Attempt, throttle: RefusalThrottle) -> SessionTokens:
    """A session for a person, after the entry `login.succeeded` is acknowledged.

    Raises:
        LoginRefused: company, login, password or code is wrong, or the login is closed: told alike.
        TooManyTries: too many went wrong; this one was not looked at.
        TooManyRequests: too many people log in from that network at this moment.
        SecondFactorNeeded: the company demands one, and the person has none.
        Forbidden: they may not log in from there.
        Unavailable: the entry could not be written.
    """
    async with state.hashing.queue(attempt.network):
        account, tried = await _judge(state, attempt, throttle)
    return await sessions.begin(state, account, attempt.place, tried, attempt.device)


async def _judge(state: AccessState, attempt: Attempt, throttle: RefusalThrottle) -> tuple[Account, Try]:
    """Whose attempt it is, when everything is right; what is not is written down."""
    async with state.database.session() as session:
        account = await repository.account(session, attempt.company, attempt.login)
    principal_id = account.principal.id if account else None
    try:
        tried = await tries.begin(
            state.database, attempt.counted_as, attempt.network, principal_id, attempt.device
        )
    except TooManyTries:
        await tries.refuse(state, throttle, account, attempt.place, "locked")
        raise
    why = await _look_at(state, attempt, account, tried.at)
    if account is not None and why is None:
        return account, tried
    await tries.refuse(state, throttle, account, attempt.place, why or "unknown")
    if why == _NO_FACTOR:
        raise SecondFactorNeeded(
            "Your company demands a second factor: ask your administrator for an invitation."
        )
    raise refused()


def refused() -> LoginRefused:
    """The one answer to whatever was wrong."""
    return LoginRefused("Company, login, password or code is wrong, or this login is closed.")


async def _look_at(state: AccessState, attempt: Attempt, account: Account | None, at: datetime) -> str | None:
    """What is wrong with an attempt, as entries say it; None when nothing is.

    All of it is looked at before any of it is judged, so that time tells nothing of what was right.
    """
    kept = account.login.password_hash if account else None
    # Side by side: the hash takes longest, and hides what is left of whether there was a key to fetch.
    good, key = await asyncio.gather(state.hashing.matches(attempt.password, kept), app_key(state, account))
    last_step = account.login.last_step if account else NEVER
    step = second_factor.step_of(key, attempt.code or "", at, last_step) if key else None
    if account is None or not good:
        return "password" if account else "unknown"
    if account.disabled or account.login.reset_at is not None:
        return "disabled" if account.disabled else "reset"
    if key is None:
        return _NO_FACTOR if account.settings.require_second_factor else None
    if not key:
        return "key"
    return None if step is not None and await _use(state, account, step) else "code"


async def _use(state: AccessState, account: Account, step: int) -> bool:
    """Uses a code up; False when somebody has been faster with it."""
    async with state.database.session() as session:
        return await repository.use_step(session, account.principal.id, step)
