"""Principals come and go: each change is one transaction of state, event and audit entry."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import keys, repository
from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.secrets import hash_secret, new_secret
from otokura.access.identity.service import check_roles
from otokura.access.identity.subject import Reader
from otokura.access.identity.views import PrincipalBody
from otokura.access.logins import repository as logins
from otokura.access.permission import entry, tenant_of
from otokura.access.tenancy import repository as tenancy
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict, NotFound
from otokura.shared.events import Role, TokenRevoked
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish, publish_audit
from otokura.shared.problems import told


@dataclass(frozen=True, slots=True)
class NewPrincipal:
    """A principal with the secrets that are shown once."""

    record: PrincipalRecord
    secret: str
    api_key: str | None

    def __repr__(self) -> str:
        return f"NewPrincipal({self.record.id})"


async def create(session: AsyncSession, body: PrincipalBody, tenant_id: UUID | None) -> NewPrincipal:
    """A new principal with credentials, and for a vendor a key whose hash every service learns.

    Raises:
        Conflict: an agent id belongs to somebody else.
    """
    at = await repository.now(session)
    principal_id = uuid7()
    secret = new_secret()
    record = PrincipalRecord(
        id=principal_id,
        tenant_id=tenant_id,
        name=body.name,
        kind=body.kind.value,
        roles=sorted({role.value for role in body.roles}),
        team=body.team,
        secret_sha256=hash_secret(secret),
        version=1,
        created_at=at,
    )
    session.add(record)
    await session.flush()
    key = await keys.add(session, record.id, at) if Role.VENDOR in body.roles else None
    if tenant_id is not None:
        await claim(session, tenant_id, record.id, body.agent_ids)
        await keys.announce(session, record, tenant_id)
    return NewPrincipal(record, secret, key.key if key else None)


async def create_in_tenant(session: AsyncSession, body: PrincipalBody, manager: Reader) -> NewPrincipal:
    """A new principal of the manager's tenant, with its audit entry.

    Raises:
        RoleNotAssignable: these roles cannot be given, or not together.
        Conflict: an agent id belongs to somebody else.
    """
    check_roles(set(body.roles), body.kind)
    new = await create(session, body, tenant_of(manager))
    about = {"id": str(new.record.id), "name": body.name, "roles": new.record.roles, "team": body.team}
    await _entry(
        session, Action.PRINCIPAL_CREATED, manager, about | {"agent_ids": sorted(set(body.agent_ids))}
    )
    return new


async def disable(session: AsyncSession, principal_id: UUID, manager: Reader) -> None:
    """Ends a principal: no token, secret or key of theirs is good any more. Again is no error.

    Raises:
        NotFound: the tenant has no such principal.
        Conflict: it is the tenant's last administrator.
    """
    tenant_id = tenant_of(manager)
    await tenancy.keep_a_way_in(session, tenant_id)
    record = await repository.principal(session, tenant_id, principal_id)
    if record is None:
        raise NotFound("There is no such principal.")
    if record.disabled_at is not None:
        return
    await keep_an_administrator(session, record, ())
    at = await repository.now(session)
    record.disabled_at = at
    record.version += 1
    session.add(record)
    await session.flush()
    await keys.announce(session, record, tenant_id)
    await logins.withdraw_invitations(session, record.id)
    await logins.end_sessions(session, record.id, "disabled")
    await _revoke(session, record.id, at)
    await _entry(session, Action.PRINCIPAL_DISABLED, manager, {"id": str(record.id), "name": record.name})


async def keep_an_administrator(
    session: AsyncSession, record: PrincipalRecord, roles: Collection[Role]
) -> None:
    """Refuses to take the last administrator away from a tenant. `keep_a_way_in` must have come before.

    Raises:
        Conflict: it is the last, and administrator is none of the roles that they would have.
    """
    if Role.ADMIN not in record.roles or Role.ADMIN in roles:
        return
    if not await repository.active_with_role(session, record.tenant_id, Role.ADMIN, without=record.id):
        raise Conflict("This is the last administrator: make another one first.")


async def claim(
    session: AsyncSession,
    tenant_id: UUID,
    principal_id: UUID,
    names: Sequence[str],
    held: Collection[str] = frozenset(),
) -> None:
    """Gives phone system's names to a person.

    Args:
        session: of the caller's transaction.
        tenant_id: the tenant.
        principal_id: the person.
        names: all that they are to have, as they stand in the request.
        held: those of them that the person has already.

    Raises:
        Conflict: one belongs to somebody else; says where it stands in the request.
    """
    wanted = sorted(set(names) - set(held))
    taken = await repository.claim_agent_ids(session, tenant_id, principal_id, wanted)
    if taken:
        wrong = [number for number, name in enumerate(names) if name in taken]
        raise Conflict(
            "Some agent ids belong to somebody else: see errors.",
            errors=[told("body", "It belongs to somebody else.", "agent_ids", number) for number in wrong],
        )


async def _revoke(session: AsyncSession, principal_id: UUID, at: datetime) -> None:
    await publish(session, TokenRevoked(subject=principal_id, at=at))


async def _entry(session: AsyncSession, action: Action, manager: Reader, about: Mapping[str, Any]) -> None:
    await publish_audit(session, entry(action, manager, {"principal": dict(about)}))
