"""A principal is changed: name, roles, team, and the phone system's names for them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import keys, repository
from otokura.access.identity.ending import end_tokens
from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.principals import claim, keep_an_administrator
from otokura.access.identity.service import PrincipalKind, check_roles
from otokura.access.identity.subject import Reader
from otokura.access.identity.views import PrincipalChange
from otokura.access.permission import entry, tenant_of
from otokura.access.tenancy import repository as tenancy
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict, NotFound, PreconditionFailed
from otokura.shared.events import Role
from otokura.shared.outbox import publish_audit


async def change_principal(
    session: AsyncSession, principal_id: UUID, body: PrincipalChange, expected_version: int, manager: Reader
) -> PrincipalRecord:
    """Replaces what can be changed of a principal; it holds from the next request on.

    Access reads roles, team and names anew for each request. Other services believe the roles of a token, so
    that tokens with other roles end.

    Raises:
        NotFound: the tenant has no such principal.
        PreconditionFailed: it has changed since `expected_version`.
        Conflict: it is disabled, the last administrator, would become or cease to be a vendor, or an agent id
            belongs to somebody else.
        RoleNotAssignable: these roles cannot be given, or not together.
    """
    tenant_id = tenant_of(manager)
    await tenancy.keep_a_way_in(session, tenant_id)
    record = await repository.principal(session, tenant_id, principal_id)
    if record is None:
        raise NotFound("There is no such principal.")
    if record.version != expected_version:
        raise PreconditionFailed("The principal has changed since you read it: read it again.")
    await _check(session, record, body)
    names = await repository.agent_ids(session, [record.id])
    before = _described(record, names[record.id])
    await _rename(session, tenant_id, record.id, names[record.id], body.agent_ids)
    record.name, record.team, record.roles = body.name, body.team, sorted(set(body.roles))
    record.version += 1
    session.add(record)
    await session.flush()
    await keys.announce(session, record, tenant_id)
    if record.roles != before["roles"]:
        await end_tokens(session, record, await repository.now(session))
    about = _described(record, sorted(set(body.agent_ids))) | {"id": record.id, "before": before}
    await publish_audit(session, entry(Action.PRINCIPAL_CHANGED, manager, {"principal": about}))
    return record


async def _check(session: AsyncSession, record: PrincipalRecord, body: PrincipalChange) -> None:
    if record.disabled_at is not None:
        raise Conflict("This principal is disabled: make another one.")
    check_roles(set(body.roles), PrincipalKind(record.kind))
    if (Role.VENDOR in record.roles) is not (Role.VENDOR in body.roles):
        raise Conflict("A vendor has keys and reads nothing: make another principal.")
    await keep_an_administrator(session, record, body.roles)


async def _rename(
    session: AsyncSession, tenant_id: UUID, principal_id: UUID, had: list[str], wanted: list[str]
) -> None:
    await repository.release_agent_ids(session, principal_id, sorted(set(had) - set(wanted)))
    await claim(session, tenant_id, principal_id, wanted, held=had)


def _described(record: PrincipalRecord, agent_ids: list[str]) -> dict[str, Any]:
    return {
        "name": record.name,
        "roles": list(record.roles),
        "team": record.team,
        "agent_ids": agent_ids,
    }
