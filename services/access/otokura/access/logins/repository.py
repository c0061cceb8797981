"""Every query about people who log in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Interval, String, Uuid, bindparam, delete, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity.models import PrincipalRecord
from otokura.access.logins import lockout
from otokura.access.logins.lockout import Failures
from otokura.access.logins.models import Invitation, Login, LoginOrigin, LoginTry, SessionRecord
from otokura.access.tenancy.models import Tenant
from otokura.shared.events import TenantSettings

_FAILURES = text("""
    SELECT count(*) FILTER (WHERE t.origin = :origin AND t.at > now() - :window) AS here,
           count(*) FILTER (WHERE k.origin IS NULL AND t.at > now() - :window) AS unknown,
           count(*) FILTER (WHERE k.origin IS NULL) AS unknown_today,
           EXISTS (SELECT 1 FROM login_origins n WHERE n.principal_id = :principal_id
                   AND n.origin = :origin AND n.last_at > now() - :known) AS known
    FROM login_tries t
    LEFT JOIN login_origins k
        ON k.principal_id = :principal_id AND k.origin = t.origin AND k.last_at > now() - :known
    WHERE t.account = :account AND t.at > now() - :day
""").bindparams(
    bindparam("account", type_=String),
    bindparam("origin", type_=String),
    bindparam("principal_id", type_=Uuid),
    bindparam("window", lockout.WINDOW, type_=Interval),
    bindparam("day", lockout.DAY, type_=Interval),
    bindparam("known", lockout.KNOWN, type_=Interval),
)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in, and the settings of their company."""

    principal: PrincipalRecord
    tenant: Tenant
    login: Login

    @property
    def disabled(self) -> bool:
        """Whether they, or their company, have been disabled."""
        return self.principal.disabled_at is not None or self.tenant.disabled

    @property
    def settings(self) -> TenantSettings:
        """Of the company."""
        return TenantSettings.model_validate(self.tenant.settings)


async def account(session: AsyncSession, company: str, login: str) -> Account | None:
    """Who logs in by this name at the company of this name."""
    statement = (
        select(PrincipalRecord, Tenant, Login)
        .join(Login, col(Login.principal_id) == col(PrincipalRecord.id))
        .join(Tenant, col(Tenant.id) == col(Login.tenant_id))
        .where(Tenant.name == company, Login.name == login)
    )
    found = (await session.exec(statement)).one_or_none()
    return Account(*found) if found is not None else None


async def account_of(session: AsyncSession, principal_id: UUID) -> Account | None:
    """The same of a principal."""
    statement = (
        select(PrincipalRecord, Tenant, Login)
        .join(Login, col(Login.principal_id) == col(PrincipalRecord.id))
        .join(Tenant, col(Tenant.id) == col(Login.tenant_id))
        .where(col(PrincipalRecord.id) == principal_id)
    )
    found = (await session.exec(statement)).one_or_none()
    return Account(*found) if found is not None else None


async def login_of(session: AsyncSession, principal_id: UUID) -> Login | None:
    """How a person logs in, locked until the transaction ends."""
    statement = select(Login).where(Login.principal_id == principal_id).with_for_update()
    return (await session.exec(statement)).one_or_none()


async def use_step(session: AsyncSession, principal_id: UUID, step: int) -> bool:
    """Uses up a code, and all before it; False when somebody was faster."""
    statement = (
        update(Login)
        .where(col(Login.principal_id) == principal_id, col(Login.last_step) < step)
        .values(last_step=step)
        .returning(col(Login.principal_id))
    )
    return (await (await session.connection()).execute(statement)).first() is not None


async def login_is_taken(session: AsyncSession, tenant_id: UUID, login: str, principal_id: UUID) -> bool:
    """Whether somebody else has the login or is invited by it; nobody takes one until the end."""
    await session.exec(select(Tenant.id).where(Tenant.id == tenant_id).with_for_update())
    has = select(Login.principal_id).where(
        Login.tenant_id == tenant_id, Login.name == login, Login.principal_id != principal_id
    )
    is_invited = select(Invitation.id).where(
        Invitation.tenant_id == tenant_id,
        Invitation.login == login,
        Invitation.principal_id != principal_id,
        col(Invitation.accepted_at).is_(None),
        col(Invitation.withdrawn_at).is_(None),
        col(Invitation.expires_at) > func.now(),
    )
    return any([(await session.exec(query)).first() is not None for query in (has, is_invited)])


async def withdraw_invitations(session: AsyncSession, principal_id: UUID) -> None:
    """Ends all invitations of a person that are not accepted."""
    statement = (
        update(Invitation)
        .where(
            col(Invitation.principal_id) == principal_id,
            col(Invitation.accepted_at).is_(None),
            col(Invitation.withdrawn_at).is_(None),
        )
        .values(withdrawn_at=func.now(), password_hash=None, kek_id=None, wrapped=None)
    )
    await (await session.connection()).execute(statement)


async def invitation(
    session: AsyncSession, token_sha256: str, *, lock: bool = False
) -> tuple[Invitation, PrincipalRecord, Tenant] | None:
    """An invitation that may be accepted now, and whose it is."""
    statement = (
        select(Invitation, PrincipalRecord, Tenant)
        .join(PrincipalRecord, col(PrincipalRecord.id) == col(Invitation.principal_id))
        .join(Tenant, col(Tenant.id) == col(Invitation.tenant_id))
        .where(
            Invitation.token_sha256 == token_sha256,
            col(Invitation.accepted_at).is_(None),
            col(Invitation.withdrawn_at).is_(None),
            col(Invitation.expires_at) > func.now(),
            col(PrincipalRecord.disabled_at).is_(None),
            col(Tenant.disabled).is_(False),
        )
    )
    found = (
        await session.exec(statement.with_for_update(of=Invitation) if lock else statement)
    ).one_or_none()
    return (found[0], found[1], found[2]) if found is not None else None


async def knows(session: AsyncSession, principal_id: UUID | None, origin: str) -> bool:
    """Whether a person came from here lately."""
    statement = select(LoginOrigin.origin).where(
        LoginOrigin.principal_id == principal_id,
        LoginOrigin.origin == origin,
        col(LoginOrigin.last_at) > func.now() - lockout.KNOWN,
    )
    return (await session.exec(statement)).first() is not None


async def failures(
    session: AsyncSession, account_hash: str, origin: str, principal_id: UUID | None
) -> Failures:
    """What went wrong with an account lately. Nobody else tries it until the transaction ends."""
    await session.exec(
        select(func.pg_advisory_xact_lock(func.hashtext("login"), func.hashtext(account_hash)))
    )
    values = {"account": account_hash, "origin": origin, "principal_id": principal_id}
    row = (await (await session.connection()).execute(_FAILURES, values)).one()
    return Failures(row.here, row.unknown, row.known, row.unknown_today)


async def add_try(session: AsyncSession, try_id: UUID, account_hash: str, origin: str) -> None:
    """Counts a try, and forgets those that no longer count."""
    connection = await session.connection()
    await connection.execute(delete(LoginTry).where(col(LoginTry.at) < func.now() - lockout.DAY))
    values = {"id": try_id, "account": account_hash, "origin": origin, "at": func.now()}
    await connection.execute(insert(LoginTry).values(**values))


async def forgive(session: AsyncSession, account_hash: str, origin: str) -> None:
    """Forgets what went wrong with an account from here: its owner was there."""
    statement = delete(LoginTry).where(col(LoginTry.account) == account_hash, col(LoginTry.origin) == origin)
    await (await session.connection()).execute(statement)


async def remember_origins(session: AsyncSession, principal_id: UUID, *origins: str) -> None:
    """The person came from here, and forgets where they have not been for long."""
    connection = await session.connection()
    old = delete(LoginOrigin).where(
        col(LoginOrigin.principal_id) == principal_id, col(LoginOrigin.last_at) < func.now() - lockout.KNOWN
    )
    await connection.execute(old)
    for origin in origins:
        statement = insert(LoginOrigin).values(principal_id=principal_id, origin=origin, last_at=func.now())
        again = statement.on_conflict_do_update(
            index_elements=["principal_id", "origin"], set_={"last_at": statement.excluded.last_at}
        )
        await connection.execute(again)


async def rotate(session: AsyncSession, session_id: UUID, used: str, new: str, network: str) -> bool:
    """Puts a new secret in the place of the one that was used; False when it was used already."""
    statement = (
        update(SessionRecord)
        .where(
            col(SessionRecord.id) == session_id,
            col(SessionRecord.once_sha256) == used,
            col(SessionRecord.ended_at).is_(None),
        )
        .values(once_sha256=new, used_at=func.now(), network=network)
        .returning(col(SessionRecord.id))
    )
    return (await (await session.connection()).execute(statement)).first() is not None


async def end_sessions(
    session: AsyncSession, principal_id: UUID, why: str, *, only: UUID | None = None, but: UUID | None = None
) -> list[UUID]:
    """Ends sessions of a person that have not ended.

    Args:
        session: the transaction.
        principal_id: whose.
        why: stands in the rows.
        only: this one alone.
        but: all except this one.

    Returns:
        Those that this ended.
    """
    table = SessionRecord
    statement = update(table).where(col(table.principal_id) == principal_id, col(table.ended_at).is_(None))
    if only is not None:
        statement = statement.where(col(table.id) == only)
    if but is not None:
        statement = statement.where(col(table.id) != but)
    ended = statement.values(ended_at=func.now(), ended_why=why).returning(col(table.id))
    return list((await (await session.connection()).execute(ended)).scalars())


async def sessions(session: AsyncSession, principal_id: UUID) -> Sequence[SessionRecord]:
    """The sessions of a person that may still be used, newest first."""
    statement = (
        select(SessionRecord)
        .where(
            SessionRecord.principal_id == principal_id,
            col(SessionRecord.ended_at).is_(None),
            col(SessionRecord.expires_at) > func.now(),
        )
        .order_by(col(SessionRecord.began_at).desc())
    )
    return (await session.exec(statement)).all()


async def forget_sessions(session: AsyncSession, principal_id: UUID, before: datetime) -> None:
    """Deletes the sessions of a person that were over before a time."""
    statement = delete(SessionRecord).where(
        col(SessionRecord.principal_id) == principal_id, col(SessionRecord.expires_at) < before
    )
    await (await session.connection()).execute(statement)
