"""Every query about what there is to read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity.lasting import SESSION_COLUMN
from otokura.access.identity.subject import SUBJECT_COLUMNS, SUBJECT_TABLES
from otokura.access.reads.models import TranscriptVersion
from otokura.shared.database import Database
from otokura.shared.events import Role
from otokura.shared.tokens import Principal

_STATE = """CASE WHEN c.outcome IS NOT NULL THEN c.outcome WHEN c.manifest IS NOT NULL THEN 'sealed'
    WHEN c.ended_at IS NOT NULL THEN 'sealing' ELSE 'live' END"""

CALL_COLUMNS = f"""
    c.call_id, c.tenant_id, c.external_id, {_STATE} AS state, c.direction, c.agent_id, c.channels, c.notice,
    c.purposes, c.language, c.started_at, c.ended_at, c.failure, c.manifest, c.manifest_sha256,
    c.customer_key,
    x.event AS transcript, x.failure AS transcript_failure, owner.team, c.recording_erased_at,
    c.transcript_erased_at
"""
# The team of a call is that of the person behind its agent id.
CALL_TABLES = """
    LEFT JOIN transcripts x ON x.call_id = c.call_id AND x.tenant_id = c.tenant_id
    LEFT JOIN agent_aliases alias ON alias.tenant_id = c.tenant_id AND alias.agent_id = c.agent_id
    LEFT JOIN principals owner ON owner.id = alias.principal_id
"""

# One round trip for a whole read: who, how long yet, from which zones they may, what the call is, and its
# wrapped key.
_READ = text(f"""
    SELECT {SUBJECT_COLUMNS}, {SESSION_COLUMN}, {CALL_COLUMNS}, k.kek_id, k.wrapped, k.commitment
    FROM {SUBJECT_TABLES}
    LEFT JOIN calls c
        ON c.call_id = :call_id AND c.tenant_id = p.tenant_id AND c.external_id IS NOT NULL
    LEFT JOIN call_keys k ON k.call_id = c.call_id AND k.tenant_id = c.tenant_id
    {CALL_TABLES}
    WHERE p.id = :subject
""")  # noqa: S608 - constants


async def read(database: Database, token: Principal, call_id: UUID) -> dict[str, Any] | None:
    """A principal, and in the same row a call of their tenant, with nulls where there is none."""
    who = {"subject": token.subject, "jti": token.jti, "session_id": token.session_id}
    row = await database.row(_READ, who | {"call_id": call_id})
    return dict(row) if row is not None else None


# All versions of a call's transcript, newest first, with who asked for them and why.
_VERSIONS = text("""
    SELECT v.version, v.event, v.completed_at, q.reason, q.requested_at, asker.name AS requested_by
    FROM transcript_versions v
    LEFT JOIN transcription_requests q ON q.id = v.request_id
    LEFT JOIN principals asker ON asker.id = q.requested_by
    WHERE v.call_id = :call_id AND v.tenant_id = :tenant_id
    ORDER BY v.version DESC
""")


async def versions(session: AsyncSession, tenant_id: UUID, call_id: UUID) -> list[dict[str, Any]]:
    """The completed transcripts of a call, newest first."""
    values = {"tenant_id": tenant_id, "call_id": call_id}
    result = await (await session.connection()).execute(_VERSIONS, values)
    return [dict(row) for row in result.mappings()]


async def version(database: Database, tenant_id: UUID, call_id: UUID, number: int) -> dict[str, Any] | None:
    """The event of one version of a call's transcript."""
    async with database.session() as session:
        found = await session.get(TranscriptVersion, (call_id, number))
    return found.event if found is not None and found.tenant_id == tenant_id else None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which calls of a tenant a reader can possibly view, as far as a query can tell.

    Attributes:
        tenant_id: theirs.
        everything: no limit within the tenant.
        team: calls of this team.
        agent_ids: calls of these agents.
    """

    tenant_id: UUID
    everything: bool
    team: str | None
    agent_ids: tuple[str, ...]

    @classmethod
    def whole(cls, tenant_id: UUID) -> Scope:
        """All calls of the tenant."""
        return cls(tenant_id, everything=True, team=None, agent_ids=())


def scope_of(tenant_id: UUID, roles: frozenset[Role], team: str | None, agent_ids: frozenset[str]) -> Scope:
    """The scope of a reader's roles. It only saves work: policies decide about each call that it finds."""
    supervises = Role.SUPERVISOR in roles
    return Scope(
        tenant_id=tenant_id,
        everything=bool(roles & {Role.EVIDENCE_OFFICER, Role.ANALYST}) or (supervises and team is None),
        team=team if supervises else None,
        agent_ids=tuple(sorted(agent_ids)) if Role.AGENT in roles else (),
    )


@dataclass(frozen=True, slots=True)
class CallFilter:
    """What a search looks for; None looks for anything. `after` is the last call of the page before."""

    agent_id: str | None = None
    external_id: str | None = None
    state: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: tuple[datetime, UUID] | None = None


_FILTERS = {
    "agent_id": "c.agent_id = :agent_id",
    "external_id": "c.external_id = :external_id",
    "state": f"{_STATE} = :state",
    "since": "c.started_at >= :since",
    "until": "c.started_at < :until",
}


async def calls(session: AsyncSession, scope: Scope, wanted: CallFilter, limit: int) -> list[dict[str, Any]]:
    """The newest calls first, at most `limit`."""
    parameters: dict[str, Any] = {"tenant_id": scope.tenant_id, "limit": limit}
    conditions = ["c.tenant_id = :tenant_id", "c.external_id IS NOT NULL"]
    if not scope.everything:
        conditions.append("(c.agent_id = ANY(:own) OR owner.team = :team)")
        parameters |= {"own": list(scope.agent_ids), "team": scope.team}
    for name, condition in _FILTERS.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(condition)
            parameters[name] = value
    if wanted.after is not None:
        conditions.append("(c.started_at, c.call_id) < (:after_at, :after_id)")
        parameters["after_at"], parameters["after_id"] = wanted.after
    statement = text(
        f"SELECT {CALL_COLUMNS} FROM calls c {CALL_TABLES} WHERE {' AND '.join(conditions)}"  # noqa: S608 - constants
        " ORDER BY c.started_at DESC, c.call_id DESC LIMIT :limit"
    )
    result = await (await session.connection()).execute(statement, parameters)
    return [dict(row) for row in result.mappings()]
