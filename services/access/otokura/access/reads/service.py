"""Pure decisions of a read: may they, and if not, what they may be told."""

from __future__ import annotations

from collections.abc import Callable

from otokura.access.identity.subject import Reader
from otokura.access.policy.denial import Denial, absent, denied
from otokura.shared.policy.engine import Decision
from otokura.shared.policy.facts import (
    CallFacts,
    Circumstances,
    PolicyAction,
    ReaderFacts,
    Resource,
    TenantFacts,
)

_REDACTED_FORM = {
    PolicyAction.LISTEN: PolicyAction.LISTEN_REDACTED,
    PolicyAction.READ_TRANSCRIPT: PolicyAction.READ_REDACTED,
}

Decide = Callable[[ReaderFacts, PolicyAction, Resource, Circumstances], Decision]


def judge(
    decide: Decide, reader: Reader, call: CallFacts | None, action: PolicyAction, asked: Circumstances
) -> Denial | None:
    """Why a reader may not do something with a call; None when they may.

    Who may not search at all is told so, whether the call exists or not. For everybody else a call that they
    may not view does not exist. Only who may view a call learns why they may not have its content.

    Args:
        decide: the policy decision point.
        reader: who asks.
        call: the call, if there is one in the reader's tenant.
        action: `view`, `listen`, `listen-redacted`, `read-transcript` or `read-redacted`.
        asked: from where, and what for.
    """
    decision = decide(reader.facts, action, call, asked) if call else None
    if decision is not None and decision.allowed:
        return None
    if reader.facts.tenant_id is None:
        return denied(("no-tenant",))
    search = decide(reader.facts, PolicyAction.SEARCH, TenantFacts(reader.facts.tenant_id), asked)
    if not search.allowed:
        return denied(search.policies)
    if call is None or decision is None or not decide(reader.facts, PolicyAction.VIEW, call, asked).allowed:
        return absent()
    milder = _REDACTED_FORM.get(action)
    redacted = milder is not None and decide(reader.facts, milder, call, asked).allowed
    return denied(decision.policies, sorted(call.purposes), redacted=redacted)
