"""Every query about issuers and their subjects."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity.models import AgentAlias, PrincipalRecord
from otokura.access.oidc.models import OidcIssuerRecord, OidcSubject
from otokura.access.tenancy.models import Tenant

_LOCK = "oidc"
"""The first half of advisory locks on issuers and subjects."""


async def all_issuers(session: AsyncSession) -> Sequence[OidcIssuerRecord]:
    """The configurations of every tenant that is not disabled."""
    statement = (
        select(OidcIssuerRecord)
        .join(Tenant, col(Tenant.id) == col(OidcIssuerRecord.tenant_id))
        .where(~col(Tenant.disabled))
    )
    return (await session.exec(statement)).all()


async def issuers(session: AsyncSession, tenant_id: UUID) -> Sequence[OidcIssuerRecord]:
    """A tenant's configurations, oldest first."""
    statement = (
        select(OidcIssuerRecord)
        .where(OidcIssuerRecord.tenant_id == tenant_id)
        .order_by(col(OidcIssuerRecord.id))
    )
    return (await session.exec(statement)).all()


async def issuer(
    session: AsyncSession, tenant_id: UUID, issuer_id: UUID, *, lock: bool = False
) -> OidcIssuerRecord | None:
    """A configuration of a tenant; locked, nobody else changes it, nor comes by it, until the end."""
    statement = select(OidcIssuerRecord).where(
        OidcIssuerRecord.id == issuer_id, OidcIssuerRecord.tenant_id == tenant_id
    )
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def of_issuer(session: AsyncSession, issuer: str) -> Sequence[OidcIssuerRecord]:
    """All configurations of one issuer; until the transaction ends nobody else adds or changes one."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtext(_LOCK), func.hashtext(issuer))))
    return (await session.exec(select(OidcIssuerRecord).where(OidcIssuerRecord.issuer == issuer))).all()


async def seen(session: AsyncSession, issuer_id: UUID, subject: str) -> Row[Any] | None:
    """The configuration's version, and who the subject is: `version`, `principal_id`, `token_at`.

    None when there is no such configuration any more; `principal_id` is None for a subject never seen.
    """
    statement = (
        select(OidcIssuerRecord.version, OidcSubject.principal_id, OidcSubject.token_at)
        .join(
            OidcSubject,
            (col(OidcSubject.tenant_id) == col(OidcIssuerRecord.tenant_id))
            & (col(OidcSubject.issuer) == col(OidcIssuerRecord.issuer))
            & (col(OidcSubject.subject) == subject),
            isouter=True,
        )
        .where(OidcIssuerRecord.id == issuer_id)
    )
    return (await (await session.connection()).execute(statement)).one_or_none()


async def still_trusted(session: AsyncSession, issuer_id: UUID, version: int) -> bool:
    """Whether this is still the configuration; if so it stays it until the transaction ends."""
    statement = (
        select(OidcIssuerRecord.id)
        .where(OidcIssuerRecord.id == issuer_id, OidcIssuerRecord.version == version)
        .with_for_update(read=True)
    )
    return (await session.exec(statement)).first() is not None


async def subject(
    session: AsyncSession, tenant_id: UUID, issuer: str, name: str
) -> tuple[OidcSubject, PrincipalRecord] | None:
    """A subject and who they are; locked until the transaction ends, also when there is no such subject."""
    lock = func.pg_advisory_xact_lock(
        func.hashtext(_LOCK), func.hashtext(func.concat(str(tenant_id), issuer, "\n", name))
    )
    await session.exec(select(lock))
    statement = (
        select(OidcSubject, PrincipalRecord)
        .join(PrincipalRecord, col(PrincipalRecord.id) == col(OidcSubject.principal_id))
        .where(OidcSubject.tenant_id == tenant_id, OidcSubject.issuer == issuer, OidcSubject.subject == name)
        .with_for_update()
    )
    return (await session.exec(statement)).one_or_none()


async def subjects(
    session: AsyncSession, tenant_id: UUID, issuer: str
) -> Sequence[tuple[OidcSubject, PrincipalRecord]]:
    """Everybody who is known by an issuer, in the order in which they came."""
    statement = (
        select(OidcSubject, PrincipalRecord)
        .join(PrincipalRecord, col(PrincipalRecord.id) == col(OidcSubject.principal_id))
        .where(OidcSubject.tenant_id == tenant_id, OidcSubject.issuer == issuer)
        .order_by(col(OidcSubject.created_at), col(OidcSubject.subject))
    )
    return (await session.exec(statement)).all()


async def bound(
    session: AsyncSession, tenant_id: UUID, issuer: str, principal_id: UUID
) -> OidcSubject | None:
    """The issuer's name for a principal, locked until the transaction ends."""
    statement = (
        select(OidcSubject)
        .where(
            OidcSubject.tenant_id == tenant_id,
            OidcSubject.issuer == issuer,
            OidcSubject.principal_id == principal_id,
        )
        .with_for_update()
    )
    return (await session.exec(statement)).one_or_none()


async def end_tokens(session: AsyncSession, tenant_id: UUID, issuer: str, since: datetime) -> Sequence[UUID]:
    """Ends every token, made before `since`, of all who are known by an issuer.

    Returns:
        Whose tokens.
    """
    known = select(OidcSubject.principal_id).where(
        OidcSubject.tenant_id == tenant_id, OidcSubject.issuer == issuer
    )
    statement = (
        update(PrincipalRecord)
        .where(col(PrincipalRecord.id).in_(known))
        .values(tokens_since=func.greatest(col(PrincipalRecord.tokens_since), since))
        .returning(col(PrincipalRecord.id))
    )
    return (await (await session.connection()).execute(statement)).scalars().all()


async def drop_agent_ids(session: AsyncSession, principal_id: UUID, except_for: Collection[str]) -> None:
    """Takes phone systems' names from a person, but for those that they keep."""
    statement = delete(AgentAlias).where(
        col(AgentAlias.principal_id) == principal_id, col(AgentAlias.agent_id).not_in(except_for)
    )
    await (await session.connection()).execute(statement)
