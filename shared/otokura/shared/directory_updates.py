"""Keeps the directory's tables from the events on `otokura.tenants`: the newest version wins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Table, delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.directory_tables import clients, issuer_keys, revocations, tenants
from otokura.shared.events import ClientUpdated, IssuerUpdated, TenantUpdated, TokenRevoked
from otokura.shared.tokens import LEEWAY, MAX_LIFETIME

_FORGET_AFTER = MAX_LIFETIME + 2 * LEEWAY + timedelta(hours=1)
"""A revocation says nothing any more when every token that it could mean has expired."""


def handlers() -> list[Subscription]:
    """The subscriptions that a service's consumer needs to have a directory."""
    return [
        Subscription(TenantUpdated, _tenant_updated),
        Subscription(ClientUpdated, _client_updated),
        Subscription(IssuerUpdated, _issuer_updated),
        Subscription(TokenRevoked, _token_revoked),
    ]


def revoked_token(jti: str) -> str:
    """Key of the revocation of one token."""
    return f"jti:{jti}"


def revoked_subject(subject: UUID) -> str:
    """Key of the revocation of a subject's tokens."""
    return f"subject:{subject}"


async def _tenant_updated(session: AsyncSession, event: TenantUpdated, _context: EventContext) -> None:
    await _store_newest(session, tenants, event.model_dump(mode="json"), ["tenant_id"])


async def _client_updated(session: AsyncSession, event: ClientUpdated, _context: EventContext) -> None:
    await _store_newest(session, clients, event.model_dump(mode="json"), ["client_id"])


async def _issuer_updated(session: AsyncSession, event: IssuerUpdated, _context: EventContext) -> None:
    await _store_newest(session, issuer_keys, event.model_dump(mode="json"), ["issuer"])


async def _store_newest(session: AsyncSession, table: Table, values: dict[str, Any], key: list[str]) -> None:
    statement = insert(table).values(values)
    changed = {name: statement.excluded[name] for name in values if name not in key}
    newer = statement.on_conflict_do_update(
        index_elements=key, set_=changed, where=table.c.version < statement.excluded.version
    )
    await (await session.connection()).execute(newer)


async def _token_revoked(session: AsyncSession, event: TokenRevoked, _context: EventContext) -> None:
    """Stores what is revoked (both, where the event names both) and forgets what has no meaning left."""
    revoked = [revoked_token(event.jti)] if event.jti else []
    revoked += [revoked_subject(event.subject)] if event.subject else []
    connection = await session.connection()
    for one in revoked:
        statement = insert(revocations).values(revoked=one, at=event.at)
        later = func.greatest(revocations.c.at, statement.excluded.at)
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["revoked"], set_={"at": later})
        )
    await connection.execute(delete(revocations).where(revocations.c.at < datetime.now(UTC) - _FORGET_AFTER))
