"""Pure decisions of a read: may they, and if not, what they may be told."""

from __future__ import annotations

from collections.abc import Callable

from otokura.access.identity.subject import Reader
from otokura.access.policy.denial import Denial, absent, denied, paused
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

    Who is paused, or may not search at all, is told so, whether the call exists or not. For everybody else a
    call that they may not view does not exist, unless a grant told them of it. Only who knows of a call
    learns why they may not have its content.

    Args:
        decide: the policy decision point.
        reader: who asks.
        call: the call, if there is one in the reader's tenant.
        action: one on a call.
        asked: from where, what for, and by what grant.
    """
    if reader.paused:
        return paused()
    if call is not None and decide(reader.facts, action, call, asked).allowed:
        return None
    return _refusal(decide, reader.facts, call, action, asked)


def _refusal(
    decide: Decide, reader: ReaderFacts, call: CallFacts | None, action: PolicyAction, asked: Circumstances
) -> Denial:
    if reader.tenant_id is None:
        return denied(("no-tenant",))
    search = decide(reader, PolicyAction.SEARCH, TenantFacts(reader.tenant_id), asked)
    if not search.allowed:
        return denied(search.policies)
    if call is None or not _knows(decide, reader, call, asked):
        return absent()
    milder = _REDACTED_FORM.get(action)
    redacted = milder is not None and decide(reader, milder, call, asked).allowed
    return denied(decide(reader, action, call, asked).policies, sorted(call.purposes), redacted=redacted)


def _knows(decide: Decide, reader: ReaderFacts, call: CallFacts, asked: Circumstances) -> bool:
    """Whether the reader may know that there is this call: by a grant, or since they may view it."""
    if asked.grant is not None and (asked.grant.reader, asked.grant.call) == (reader.id, call.id):
        return True
    return decide(reader, PolicyAction.VIEW, call, asked).allowed


def has_broken_glass(decide: Decide, reader: Reader) -> bool:
    """Whether glass is broken for a reader who may still ask for it: how wide it is worth looking.

    What they may see of each call that is found is asked of the policies all the same.
    """
    if reader.break_glass is None or reader.facts.tenant_id is None:
        return False
    tenant = TenantFacts(reader.facts.tenant_id)
    return decide(reader.facts, PolicyAction.ASK_BREAK_GLASS, tenant, reader.circumstances()).allowed
