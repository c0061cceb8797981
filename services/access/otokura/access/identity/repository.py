"""Every query about principals, tokens and signing keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity.models import (
    AgentAlias,
    ApiKeyRecord,
    BootstrapToken,
    PrincipalRecord,
    RevokedToken,
    SigningKey,
)
from otokura.access.identity.subject import SUBJECT_COLUMNS, SUBJECT_TABLES
from otokura.access.oidc.models import OidcIssuerRecord, OidcSubject
from otokura.access.tenancy.models import Tenant
from otokura.shared.events import Role

_SUBJECT = text(f"SELECT {SUBJECT_COLUMNS} FROM {SUBJECT_TABLES} WHERE p.id = :subject")  # noqa: S608 - constants
_BOOTSTRAP_LOCK = text("LOCK TABLE bootstrap_tokens IN EXCLUSIVE MODE")
_SIGNING_LOCK = text("LOCK TABLE signing_keys IN EXCLUSIVE MODE")


async def subject(session: AsyncSession, principal_id: UUID, jti: str) -> dict[str, Any] | None:
    """The columns of `SUBJECT_COLUMNS` for a principal."""
    connection = await session.connection()
    result = await connection.execute(_SUBJECT, {"subject": principal_id, "jti": jti})
    row = result.mappings().one_or_none()
    return dict(row) if row is not None else None


async def now(session: AsyncSession) -> datetime:
    """The database's clock: the one that all replicas share."""
    at: datetime = (await session.exec(select(func.now()))).one()
    return at


async def client(session: AsyncSession, client_id: UUID) -> tuple[PrincipalRecord, bool, datetime] | None:
    """A principal, whether it or its tenant is disabled, and the database's time."""
    statement = (
        select(PrincipalRecord, Tenant.disabled, func.now())
        .join(Tenant, col(Tenant.id) == col(PrincipalRecord.tenant_id), isouter=True)
        .where(PrincipalRecord.id == client_id)
    )
    found = (await session.exec(statement)).one_or_none()
    if found is None:
        return None
    principal, tenant_disabled, at = found
    return principal, principal.disabled_at is not None or bool(tenant_disabled), at


async def agent_ids(session: AsyncSession, principal_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The phone system's names of principals, sorted."""
    statement = (
        select(AgentAlias)
        .where(col(AgentAlias.principal_id).in_(principal_ids))
        .order_by(col(AgentAlias.agent_id))
    )
    names: dict[UUID, list[str]] = {principal_id: [] for principal_id in principal_ids}
    for alias in await session.exec(statement):
        names[alias.principal_id].append(alias.agent_id)
    return names


async def claim_agent_ids(
    session: AsyncSession, tenant_id: UUID, principal_id: UUID, names: Sequence[str]
) -> list[str]:
    """Gives phone system's names to a person.

    Returns:
        Those that another person has; when there is one, the transaction must not be committed.
    """
    if not names:
        return []
    rows = [{"tenant_id": tenant_id, "agent_id": name, "principal_id": principal_id} for name in names]
    statement = insert(AgentAlias).values(rows).on_conflict_do_nothing().returning(col(AgentAlias.agent_id))
    given = set((await (await session.connection()).execute(statement)).scalars())
    return sorted(set(names) - given)


async def release_agent_ids(session: AsyncSession, principal_id: UUID, names: Sequence[str]) -> None:
    """Takes phone system's names from a person, who has none of them any more."""
    statement = delete(AgentAlias).where(
        col(AgentAlias.principal_id) == principal_id, col(AgentAlias.agent_id).in_(names)
    )
    await (await session.connection()).execute(statement)


async def principals(session: AsyncSession, tenant_id: UUID) -> Sequence[PrincipalRecord]:
    """All principals of a tenant, oldest first."""
    statement = (
        select(PrincipalRecord)
        .where(PrincipalRecord.tenant_id == tenant_id)
        .order_by(col(PrincipalRecord.id))
    )
    return (await session.exec(statement)).all()


async def principal(session: AsyncSession, tenant_id: UUID, principal_id: UUID) -> PrincipalRecord | None:
    """A principal of a tenant; nobody else changes it until the transaction ends."""
    statement = (
        select(PrincipalRecord)
        .where(PrincipalRecord.id == principal_id, PrincipalRecord.tenant_id == tenant_id)
        .with_for_update()
    )
    return (await session.exec(statement)).one_or_none()


async def api_keys(session: AsyncSession, principal_id: UUID) -> Sequence[ApiKeyRecord]:
    """All keys that a principal ever had, oldest first."""
    statement = (
        select(ApiKeyRecord)
        .where(ApiKeyRecord.principal_id == principal_id)
        .order_by(col(ApiKeyRecord.created_at), col(ApiKeyRecord.id))
    )
    return (await session.exec(statement)).all()


async def active_with_role(
    session: AsyncSession,
    tenant_id: UUID | None,
    role: Role,
    *,
    without: UUID | None = None,
    without_issuer: UUID | None = None,
) -> int:
    """How many principals of a tenant (None: of no tenant) have a role and a way to come.

    Who is disabled has none, nor who was made by an identity provider that is trusted no more.

    Args:
        session: of the caller's transaction.
        tenant_id: the tenant.
        role: what they have.
        without: a principal who is not counted.
        without_issuer: a configuration that is taken for removed.
    """
    trusted = exists().where(
        col(OidcIssuerRecord.tenant_id) == col(OidcSubject.tenant_id),
        col(OidcIssuerRecord.issuer) == col(OidcSubject.issuer),
        col(OidcIssuerRecord.id).is_distinct_from(without_issuer),
    )
    stranded = exists().where(
        col(OidcSubject.principal_id) == col(PrincipalRecord.id), col(OidcSubject.made), ~trusted
    )
    statement = select(func.count()).where(
        col(PrincipalRecord.roles).contains([role.value]),
        col(PrincipalRecord.disabled_at).is_(None),
        col(PrincipalRecord.tenant_id).is_not_distinct_from(tenant_id),
        col(PrincipalRecord.id).is_distinct_from(without),
        ~stranded,
    )
    return (await session.exec(statement)).one()


async def see_bootstrap_token(session: AsyncSession, token_sha256: str) -> None:
    """Starts the life of a bootstrap token, the first time that it is seen."""
    statement = insert(BootstrapToken).values(token_sha256=token_sha256, seen_at=func.now())
    await (await session.connection()).execute(statement.on_conflict_do_nothing())


async def bootstrap_token(session: AsyncSession, token_sha256: str) -> BootstrapToken | None:
    """A bootstrap token that was seen. Until the transaction ends nobody else bootstraps."""
    await (await session.connection()).execute(_BOOTSTRAP_LOCK)
    return await session.get(BootstrapToken, token_sha256)


async def revoke_token(session: AsyncSession, jti: str, expires_at: datetime) -> None:
    """Takes a token back, and forgets those that have expired since."""
    connection = await session.connection()
    await connection.execute(delete(RevokedToken).where(col(RevokedToken.expires_at) < func.now()))
    statement = insert(RevokedToken).values(jti=jti, expires_at=expires_at)
    await connection.execute(statement.on_conflict_do_nothing())


async def signing_keys(session: AsyncSession, *, lock: bool = False) -> Sequence[SigningKey]:
    """All signing keys, oldest first; with `lock`, nobody else changes them until the transaction ends."""
    if lock:
        await (await session.connection()).execute(_SIGNING_LOCK)
    return (await session.exec(select(SigningKey).order_by(col(SigningKey.version)))).all()


async def retire_signing_keys(session: AsyncSession, except_kid: str) -> None:
    """Marks every other key as no longer signing."""
    statement = (
        update(SigningKey)
        .where(col(SigningKey.kid) != except_kid, col(SigningKey.retired_at).is_(None))
        .values(retired_at=func.now())
    )
    await (await session.connection()).execute(statement)
