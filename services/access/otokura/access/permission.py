"""Who, where, may they: the dependencies that stand in the signature of every route that is not public."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends

from otokura.access.identity import repository
from otokura.access.identity.subject import Reader, reader_from
from otokura.access.policy.decided import Decided, decide
from otokura.access.policy.denial import Denial, denied, paused
from otokura.access.signals.watch import Observation
from otokura.access.state import AccessState, State
from otokura.shared.address import ClientAddress, ResolvedAddress
from otokura.shared.audit import Action, AuditDraft
from otokura.shared.authentication import Authenticated
from otokura.shared.policy.facts import PolicyAction, Resource, SystemFacts, TenantFacts
from otokura.shared.tokens import Principal


async def identify(state: AccessState, token: Principal, place: ResolvedAddress) -> Reader:
    """The reader behind a token, as the database knows them now.

    Raises:
        Unauthenticated: disabled or revoked.
    """
    async with state.database.session() as session:
        row = await repository.subject(session, token.subject, token.jti)
    return reader_from(row, token, place)


async def let_in(state: AccessState, reader: Reader) -> Reader:
    """Asks the policies whether somebody of a company may log in from where they are.

    Raises:
        Forbidden: they may not; it is written down.
        Unavailable: the refusal could not be written.
    """
    if reader.facts.tenant_id is None:
        raise TypeError("an operator has no login")
    resource, asked = TenantFacts(reader.facts.tenant_id), reader.circumstances()
    decided = decide(state.policies, reader.facts, PolicyAction.LOG_IN, resource, asked)
    if decided.allowed:
        return reader.by(decided)
    denial = denied(decided.policies)
    await state.audit.write(entry(Action.LOGIN_REFUSED, reader.by(decided), {"why": list(denial.why)}))
    raise denial.error


_DECIDED_BEFORE = {Action.READ_CLOSED, Action.DISCLOSURE_CLOSED, Action.GRANT_USED}
"""Beside each of them stands the entry that tells the decision."""


def entry(action: Action, reader: Reader, detail: dict[str, Any], call_id: UUID | None = None) -> AuditDraft:
    """What a reader did, with who and where they were, and the decision that permitted it."""
    decided = {} if reader.decided is None or action in _DECIDED_BEFORE else reader.decided.told()
    return AuditDraft(
        action=action,
        tenant_id=reader.facts.tenant_id,
        reader=str(reader.facts.id),
        call_id=call_id,
        detail=reader.describe() | decided | detail,
    )


async def record_denial(
    state: AccessState,
    reader: Reader,
    denial: Denial,
    action: PolicyAction,
    decided: Decided | None = None,
    call_id: UUID | None = None,
) -> None:
    """Writes a denial down.

    Args:
        state: the service's.
        reader: who was denied.
        denial: what they are told.
        action: what they asked for.
        decided: what the policies were asked and said; none when it was not they that refused.
        call_id: the call that they named.

    Raises:
        Unavailable: it could not be written.
    """
    detail: dict[str, Any] = {"action": action.value, "why": list(denial.why)}
    # What permitted the reader something before did not refuse them this.
    await state.audit.write(entry(Action.READ_DENIED, reader.by(decided), detail, call_id))
    if not reader.paused:
        state.watch.add(Observation.of(reader, denied=True))


_NOT_WHILE_PAUSED = {
    PolicyAction.SEARCH,
    PolicyAction.EXPORT,
    PolicyAction.ERASE,
    PolicyAction.ASK_BREAK_GLASS,
    PolicyAction.APPROVE_BREAK_GLASS,
}
"""A pause stops whatever is done to calls, not configuring: a company's one administrator must not be locked
out by it. What is asked of one call, or of the text of many, is refused where that is decided."""


def permitted(action: PolicyAction) -> Callable[..., Awaitable[Reader]]:
    """A dependency: a reader whom the policies permit this, on their own tenant or on the system.

    Entries of what they do tell the decision. A denial is written to the audit log before it is told.
    """

    async def check(state: State, token: Authenticated, place: ClientAddress) -> Reader:
        reader = await identify(state, token, place)
        resource = _resource(action, reader)
        if resource is None:
            denial, decided = denied(("no-tenant",)), None
        elif reader.paused and action in _NOT_WHILE_PAUSED:
            denial, decided = paused(), None
        else:
            decided = decide(state.policies, reader.facts, action, resource, reader.circumstances())
            if decided.allowed:
                return reader.by(decided)
            denial = denied(decided.policies)
        await record_denial(state, reader, denial, action, decided)
        raise denial.error

    return check


def _resource(action: PolicyAction, reader: Reader) -> Resource | None:
    if action in {PolicyAction.MANAGE_TENANTS, PolicyAction.ROTATE_KEYS}:
        return SystemFacts()
    if action is PolicyAction.TRANSCRIBE_AGAIN and reader.facts.tenant_id is None:
        return SystemFacts()
    return TenantFacts(reader.facts.tenant_id) if reader.facts.tenant_id else None


def tenant_of(reader: Reader) -> UUID:
    """The tenant of a reader whom `permitted` let pass for something of their tenant."""
    if reader.facts.tenant_id is None:
        raise TypeError("only a reader of a tenant passes a permission on that tenant")
    return reader.facts.tenant_id


async def concerned(state: State, token: Authenticated, place: ClientAddress) -> Reader:
    """A dependency: a reader of a tenant, who may end what concerns themselves, from wherever they are.

    Raises:
        Forbidden: they belong to no tenant.
    """
    reader = await identify(state, token, place)
    if reader.facts.tenant_id is None:
        denial = denied(("no-tenant",))
        await record_denial(state, reader, denial, PolicyAction.MANAGE_GRANTS)
        raise denial.error
    return reader


def manages_grants(state: AccessState, reader: Reader) -> Decided | None:
    """What permits them to see and take back what others of their tenant were given, too."""
    tenant, action = TenantFacts(tenant_of(reader)), PolicyAction.MANAGE_GRANTS
    decided = decide(state.policies, reader.facts, action, tenant, reader.circumstances())
    return decided if decided.allowed else None


async def looking(state: State, token: Authenticated, place: ClientAddress) -> Reader:
    """A dependency: who sees what was given and asked for, with the ids of calls and the reasons.

    Who may take back what others were given sees it from anywhere. Everybody else sees their own, as they see
    the list of calls: from within a zone, and not while they are paused.

    Raises:
        Forbidden: says why; it is written down.
        Unavailable: the denial could not be written.
    """
    reader = await concerned(state, token, place)
    if manages_grants(state, reader):
        return reader
    if reader.paused:
        denial, decided = paused(), None
    else:
        tenant, asked = TenantFacts(tenant_of(reader)), reader.circumstances()
        decided = decide(state.policies, reader.facts, PolicyAction.SEARCH, tenant, asked)
        if decided.allowed:
            return reader
        denial = denied(decided.policies)
    await record_denial(state, reader, denial, PolicyAction.SEARCH, decided)
    raise denial.error


Concerned = Annotated[Reader, Depends(concerned)]
Looking = Annotated[Reader, Depends(looking)]
Searcher = Annotated[Reader, Depends(permitted(PolicyAction.SEARCH))]
GlassAsker = Annotated[Reader, Depends(permitted(PolicyAction.ASK_BREAK_GLASS))]
GlassApprover = Annotated[Reader, Depends(permitted(PolicyAction.APPROVE_BREAK_GLASS))]
SignalManager = Annotated[Reader, Depends(permitted(PolicyAction.MANAGE_SIGNALS))]
Configurator = Annotated[Reader, Depends(permitted(PolicyAction.CONFIGURE))]
FeedManager = Annotated[Reader, Depends(permitted(PolicyAction.MANAGE_FEEDS))]
KeyRotator = Annotated[Reader, Depends(permitted(PolicyAction.ROTATE_KEYS))]
PrincipalManager = Annotated[Reader, Depends(permitted(PolicyAction.MANAGE_PRINCIPALS))]
TenantManager = Annotated[Reader, Depends(permitted(PolicyAction.MANAGE_TENANTS))]
Eraser = Annotated[Reader, Depends(permitted(PolicyAction.ERASE))]
Exporter = Annotated[Reader, Depends(permitted(PolicyAction.EXPORT))]
RetentionManager = Annotated[Reader, Depends(permitted(PolicyAction.MANAGE_RETENTION))]
TranscriptionManager = Annotated[Reader, Depends(permitted(PolicyAction.TRANSCRIBE_AGAIN))]
