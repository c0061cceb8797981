"""The engine says what Cedar says: what it parses once, remembers and puts together changes no decision."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import cedarpy
from hypothesis import given, settings
from hypothesis import strategies as st

from otokura.shared.events import Role
from otokura.shared.policy.engine import POLICY_DIR, SCHEMA_FILE, PolicyEngine
from otokura.shared.policy.facts import (
    READINGS,
    CallFacts,
    Circumstances,
    PolicyAction,
    ReaderFacts,
)

ENGINE = PolicyEngine()
TEXT = "\n".join(path.read_text() for path in sorted(POLICY_DIR.glob("*.cedar")))
SCHEMA = (POLICY_DIR / SCHEMA_FILE).read_text()
IDS = st.sampled_from([UUID(int=1), UUID(int=2)])
NAMES = st.sampled_from(["2041", "tokyo", "quality"])
READERS = st.builds(
    ReaderFacts,
    id=IDS,
    tenant_id=IDS,
    roles=st.frozensets(st.sampled_from(Role), max_size=3),
    team=st.none() | NAMES,
    agent_ids=st.frozensets(NAMES, max_size=2),
)
CALLS = st.builds(
    CallFacts,
    id=IDS,
    tenant_id=IDS,
    agent_id=st.none() | NAMES,
    team=st.none() | NAMES,
    purposes=st.frozensets(NAMES, max_size=2),
)
PLACES = st.builds(
    Circumstances,
    address=st.none() | st.ip_addresses(v=4),
    zones=st.sampled_from([(), ("office",)]),
    purpose=st.none() | NAMES,
    reason=st.sampled_from([None, "case 7"]),
)
ACTIONS = st.sampled_from(sorted(READINGS - {PolicyAction.SEARCH_TEXT} | {PolicyAction.VIEW}))


def reference(kind: str, name: object) -> dict[str, Any]:
    return {"__entity": {"type": f"Otokura::{kind}", "id": str(name)}}


def plainly(
    who: ReaderFacts, action: PolicyAction, what: CallFacts, where: Circumstances
) -> tuple[bool, list[str]]:
    """The same question to Cedar itself, everything parsed and validated for it."""
    reader = {"tenant": reference("Tenant", who.tenant_id), "agent_ids": sorted(who.agent_ids)}
    call = {"tenant": reference("Tenant", what.tenant_id), "purposes": sorted(what.purposes)}
    for attributes, facts in (
        (reader, {"team": who.team}),
        (call, {"team": what.team, "agent_id": what.agent_id}),
    ):
        attributes.update({name: value for name, value in facts.items() if value is not None})
    uids = {"principal": f'Otokura::Reader::"{who.id}"', "resource": f'Otokura::Call::"{what.id}"'}
    entities = [
        {
            "uid": {"type": "Otokura::Reader", "id": str(who.id)},
            "attrs": reader,
            "parents": [{"type": "Otokura::Role", "id": role} for role in who.roles],
        },
        {"uid": {"type": "Otokura::Call", "id": str(what.id)}, "attrs": call, "parents": []},
    ]
    context: dict[str, Any] = {"zones": list(where.zones)}
    if where.address is not None:
        context["address"] = {"__extn": {"fn": "ip", "arg": str(where.address)}}
    if action in READINGS:
        context["purpose"] = where.purpose or ""
        context |= {"reason": where.reason} if where.reason else {}
    request = {**uids, "action": f'Otokura::Action::"{action}"', "context": json.dumps(context)}
    result = cedarpy.is_authorized(request, TEXT, json.dumps(entities), SCHEMA)
    assert not result.diagnostics.errors
    return result.allowed, sorted(result.diagnostics.id_annotations_by_reason.values())


@settings(max_examples=60)
@given(READERS, CALLS, PLACES, st.lists(ACTIONS, min_size=1, max_size=4))
def test_the_engine_says_what_cedar_says(
    who: ReaderFacts, what: CallFacts, where: Circumstances, actions: list[PolicyAction]
) -> None:
    for action in actions:
        decision = ENGINE.decide(who, action, what, where)
        assert (decision.allowed, list(decision.policies)) == plainly(who, action, what, where)


def test_it_remembers_within_bounds() -> None:
    engine, where = PolicyEngine(), Circumstances(None, ("office",), "quality")
    who = ReaderFacts(UUID(int=1), UUID(int=1), frozenset({Role.SUPERVISOR}))
    for number in range(1100):
        engine.decide(who, PolicyAction.VIEW, CallFacts(UUID(int=number), UUID(int=1)), where)
    assert engine._with_both.cache_info().currsize == engine._with_both.cache_info().maxsize == 1024
    assert engine._with_subject.cache_info().currsize == 1
