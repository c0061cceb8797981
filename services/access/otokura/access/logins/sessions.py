"""The life of a session: begun by a login, gone on with by refresh tokens, ended by whoever may.

No token leaves before its entry is acknowledged. What ends a session ends its tokens in the same transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.errors import LoginRefused, SecondFactorNeeded, SessionOver
from otokura.access.identity import repository as identity
from otokura.access.identity.ending import end_tokens, end_tokens_of_session
from otokura.access.identity.lasting import session_over
from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.secrets import hash_secret, new_secret, secret_matches
from otokura.access.identity.subject import Reader
from otokura.access.identity.tokens import principal_of, where
from otokura.access.logins import asking, lockout, refresh_tokens, repository
from otokura.access.logins.models import SessionRecord
from otokura.access.logins.refresh_tokens import RefreshToken
from otokura.access.logins.repository import Account
from otokura.access.logins.tries import Try
from otokura.access.logins.views import SessionTokens
from otokura.access.permission import entry
from otokura.access.state import AccessState
from otokura.shared import metrics
from otokura.shared.address import ResolvedAddress
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.errors import Unavailable
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish_audit
from otokura.shared.tokens import Principal, new_jti

REFUSED = metrics.counter(
    "otokura_access_refreshes_refused_total", "Refresh tokens that were not good, or no longer."
)
_REMEMBERED = timedelta(days=30)
"""How long after its last day a session's row is kept."""


async def begin(
    state: AccessState, account: Account, place: ResolvedAddress, tried: Try, device: str | None
) -> SessionTokens:
    """A session for somebody whose password and code were right, after `login.succeeded` is acknowledged.

    Args:
        state: the service's.
        account: who logs in.
        place: from where.
        tried: the try, which is forgiven with those before it from there.
        device: the token of the device that they have from before, if it came along.

    Raises:
        Forbidden: they may not log in from there.
        LoginRefused: they, or their login, were changed meanwhile.
        Unavailable: the entry could not be written.
    """
    refresh = refresh_tokens.first(uuid7())
    token = await _token_for(state, account, refresh.session_id)
    reader = await asking.bearer(state, token, place)
    if device is None or tried.origin != lockout.device_of(device):
        device = new_secret()
    about = {"session": refresh.session_id, "jti": token.jti, "second_factor": _has_factor(account)}
    await _write_down(state, reader, about)
    async with state.database.session() as session:
        if not await _is_unchanged(session, account):
            raise LoginRefused("This login was changed at this moment: try again.")
        at = await identity.now(session)
        lifetime = timedelta(seconds=state.settings.session_lifetime_seconds)
        record = _record(account, refresh, lockout.network_of(place.address), at, lifetime)
        session.add(record)
        await repository.remember_origins(session, token.subject, record.network, lockout.device_of(device))
        await repository.forgive(session, tried.counted_as, tried.origin)
        await repository.forget_sessions(session, token.subject, at - _REMEMBERED)
    return _tokens(state, token, refresh, at, record.expires_at).model_copy(update={"device": device})


async def go_on(state: AccessState, text: str, place: ResolvedAddress) -> SessionTokens:
    """New tokens for old ones, after the entry `token.issued` is acknowledged.

    Raises:
        SessionOver: the refresh token is none, was used before, or its session has ended; told alike.
        Forbidden: the person may not go on from there. The session stays.
        SecondFactorNeeded: the company demands one meanwhile.
        Unauthenticated: the person, or their company, has been disabled.
        Unavailable: the entry could not be written.
    """
    given = refresh_tokens.parse(text)
    async with state.database.session() as session:
        found = await _find(session, state, given, place)
    if given is None or found is None:
        REFUSED.inc()
        raise _over()
    record, account, at = found
    token = await _token_for(state, account, record.id)
    reader = await asking.bearer(state, token, place)
    if account.settings.require_second_factor and not record.second_factor:
        async with state.database.session() as session:
            await _end(session, record, account, place, "second-factor")
        raise SecondFactorNeeded("Your company demands a second factor now: ask your administrator for one.")
    about = {"session": record.id, "jti": token.jti, "seconds": _lifetime(state, at, record.expires_at)}
    await state.audit.write(entry(Action.TOKEN_ISSUED, reader, about))
    new = given.next()
    async with state.database.session() as session:
        used, network = hash_secret(given.once), lockout.network_of(place.address)
        is_first = await repository.rotate(session, record.id, used, hash_secret(new.once), network)
        if not is_first:
            await _end(session, record, account, place, "reuse")
    if not is_first:
        raise _over()
    return _tokens(state, token, new, at, record.expires_at)


async def leave(session: AsyncSession, token: Principal, reader: Reader) -> None:
    """Ends the session of the token that came with the request.

    Raises:
        SessionOver: the token was got in no session.
    """
    if token.session_id is None:
        raise SessionOver("This token was got with a client secret, in no session: /oauth2/revoke ends it.")
    if await repository.end_sessions(session, token.subject, "logged-out", only=token.session_id):
        await end_tokens_of_session(session, token.session_id, await identity.now(session))
        about = {"session": token.session_id, "why": "logged-out"}
        await publish_audit(session, entry(Action.SESSION_ENDED, reader, about))


async def end_all(session: AsyncSession, record: PrincipalRecord, manager: Reader) -> None:
    """Ends all sessions of a person and all their tokens, also those got with a client secret."""
    ended = await repository.end_sessions(session, record.id, "administrator")
    await end_tokens(session, record, await identity.now(session))
    about = {"principal": {"id": record.id, "name": record.name}, "sessions": ended, "why": "administrator"}
    await publish_audit(session, entry(Action.SESSION_ENDED, manager, about))


async def end_others(session: AsyncSession, token: Principal, why: str) -> list[UUID]:
    """Ends all sessions of a person but the one of the token, with their tokens."""
    ended = await repository.end_sessions(session, token.subject, why, but=token.session_id)
    at = await identity.now(session)
    for session_id in ended:
        await end_tokens_of_session(session, session_id, at)
    return ended


async def _find(
    session: AsyncSession, state: AccessState, given: RefreshToken | None, place: ResolvedAddress
) -> tuple[SessionRecord, Account, datetime] | None:
    """The session of a refresh token, if it goes on; ends it when its time is over, or the token was used."""
    record = await session.get(SessionRecord, given.session_id) if given else None
    if given is None or record is None or record.ended_at is not None:
        return None
    # Who does not have this secret never had a token of the session, and must not be able to end it.
    if not secret_matches(given.family, record.family_sha256):
        return None
    account = await repository.account_of(session, record.principal_id)
    at = await identity.now(session)
    why = _why_over(record, given, at, timedelta(seconds=state.settings.session_idle_seconds))
    if account is not None and why is not None:
        await _end(session, record, account, place, why)
    return (record, account, at) if account is not None and why is None else None


def _why_over(record: SessionRecord, given: RefreshToken, at: datetime, idle: timedelta) -> str | None:
    if not secret_matches(given.once, record.once_sha256):
        return "reuse"
    return session_over(record.expires_at, record.used_at, at, idle)


async def _end(
    session: AsyncSession, record: SessionRecord, account: Account, place: ResolvedAddress, why: str
) -> None:
    if not await repository.end_sessions(session, record.principal_id, why, only=record.id):
        return
    await end_tokens_of_session(session, record.id, await identity.now(session))
    draft = AuditDraft(
        action=Action.SESSION_ENDED,
        tenant_id=account.login.tenant_id,
        reader=str(record.principal_id),
        detail={"session": record.id, "why": why, "name": account.principal.name} | where(place),
    )
    await publish_audit(session, draft)


async def _token_for(state: AccessState, account: Account, session_id: UUID) -> Principal:
    async with state.database.session() as session:
        names = await identity.agent_ids(session, [account.principal.id])
    return principal_of(account.principal, names[account.principal.id], new_jti(session_id))


def _has_factor(account: Account) -> bool:
    return account.login.wrapped is not None


def _record(
    account: Account, refresh: RefreshToken, network: str, at: datetime, lifetime: timedelta
) -> SessionRecord:
    return SessionRecord(
        id=refresh.session_id,
        principal_id=account.principal.id,
        family_sha256=hash_secret(refresh.family),
        once_sha256=hash_secret(refresh.once),
        second_factor=_has_factor(account),
        network=network,
        began_at=at,
        used_at=at,
        expires_at=at + lifetime,
    )


async def _write_down(state: AccessState, reader: Reader, about: dict[str, Any]) -> None:
    try:
        await state.audit.write(entry(Action.LOGIN_SUCCEEDED, reader, about))
    except Unavailable:
        # It may still arrive: then the log shall say that nothing came of it.
        ended = {"session": about["session"], "why": "unwritten"}
        state.closings.add(entry(Action.SESSION_ENDED, reader.by(None), ended))
        raise


async def _is_unchanged(session: AsyncSession, account: Account) -> bool:
    """Whether nothing ended the login since it was looked at; nothing does until the transaction ends."""
    before = account.principal, account.login
    record = await identity.principal(session, account.login.tenant_id, account.principal.id)
    login = await repository.login_of(session, account.principal.id)
    return (
        record is not None
        and login is not None
        and (record.disabled_at, record.tokens_since) == (before[0].disabled_at, before[0].tokens_since)
        and (login.password_hash, login.reset_at) == (before[1].password_hash, before[1].reset_at)
    )


def _lifetime(state: AccessState, at: datetime, expires_at: datetime) -> int:
    """Seconds that a token lives: no longer than its session."""
    return max(1, min(state.settings.token_lifetime_seconds, int((expires_at - at).total_seconds())))


def _tokens(
    state: AccessState, token: Principal, refresh: RefreshToken, at: datetime, expires_at: datetime
) -> SessionTokens:
    seconds = _lifetime(state, at, expires_at)
    return SessionTokens(
        session_id=refresh.session_id,
        access_token=state.issuer.issue(token, timedelta(seconds=seconds)),
        expires_in=seconds,
        refresh_token=refresh.text,
        expires_at=expires_at,
    )


def _over() -> SessionOver:
    return SessionOver("This refresh token is not good, or no longer: log in again.")
