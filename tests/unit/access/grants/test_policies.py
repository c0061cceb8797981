"""What a grant and broken glass open: never more than they say, never past a boundary."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.access.identity.subject import Reader
from otokura.access.reads.service import judge
from otokura.shared.address import Reason, ResolvedAddress
from otokura.shared.errors import Forbidden, NotFound
from otokura.shared.events import Role
from otokura.shared.policy.engine import PolicyEngine
from otokura.shared.policy.facts import (
    READINGS,
    CallFacts,
    Circumstances,
    GrantFacts,
    PolicyAction,
    ReaderFacts,
    TenantFacts,
)

ENGINE = PolicyEngine()
OF_CALLS = sorted(READINGS - {PolicyAction.SEARCH_TEXT})
TENANT, OTHER, ME, SOMEBODY = UUID(int=1), UUID(int=2), UUID(int=9), UUID(int=10)
CALL, ANOTHER = UUID(int=5), UUID(int=6)
READERS = {Role.AGENT, Role.SUPERVISOR, Role.ANALYST, Role.EVIDENCE_OFFICER}
ASKERS = {Role.AGENT, Role.SUPERVISOR}
"""Who may ask to break the glass: who lost these roles has nothing by glass that is broken."""
OFFICE = Circumstances(ip_address("203.0.113.7"), ("office",), "quality", "case 7")


def reader(*roles: Role, team: str | None = "tokyo") -> ReaderFacts:
    return ReaderFacts(ME, TENANT, frozenset(roles), team, frozenset({"2041"}))


def call(tenant: UUID = TENANT) -> CallFacts:
    return CallFacts(CALL, tenant, "1", "osaka", frozenset({"quality"}))


def a_grant(**about: object) -> GrantFacts:
    values = {
        "id": UUID(int=7),
        "reader": ME,
        "call": CALL,
        "what": frozenset(OF_CALLS),
        "purpose": "quality",
    }
    return GrantFacts(**{**values, "zones": frozenset(), **about})  # type: ignore[arg-type]


def allowed(
    who: ReaderFacts, action: PolicyAction, asked: Circumstances, what: CallFacts | None = None
) -> bool:
    return ENGINE.decide(who, action, what or call(), asked).allowed


@pytest.mark.guarantee("R20")
@given(
    roles=st.frozensets(st.sampled_from(Role)),
    action=st.sampled_from(OF_CALLS),
    given_to=st.sampled_from([ME, SOMEBODY]),
    given_for=st.sampled_from([CALL, ANOTHER]),
    what=st.frozensets(st.sampled_from(OF_CALLS)),
    purpose=st.sampled_from(["quality", "training"]),
    zones=st.frozensets(st.sampled_from(["office", "branch"])),
    there=st.sampled_from([(), ("office",), ("branch", "office")]),
)
def test_who_names_a_grant_reads_exactly_what_it_gives(
    roles: frozenset[Role],
    action: PolicyAction,
    given_to: UUID,
    given_for: UUID,
    what: frozenset[PolicyAction],
    purpose: str,
    zones: frozenset[str],
    there: tuple[str, ...],
) -> None:
    """Whatever else they may read, and whatever their role; and it makes no reader of an administrator."""
    grant = a_grant(reader=given_to, call=given_for, what=what, purpose=purpose, zones=zones)
    fits = (
        given_to == ME
        and given_for == CALL
        and action in what
        and purpose == "quality"
        and bool(there)
        and (not zones or bool(zones & set(there)))
    )
    assert allowed(reader(*roles), action, replace(OFFICE, zones=there, grant=grant)) is (
        fits and bool(roles & READERS)
    )


@pytest.mark.guarantee("R20")
@pytest.mark.parametrize("action", OF_CALLS)
@pytest.mark.parametrize(
    "about",
    [
        {"reader": SOMEBODY},
        {"call": ANOTHER},
        {"what": frozenset[PolicyAction]()},
        {"purpose": "training"},
        {"zones": frozenset({"branch"})},
    ],
)
def test_each_thing_that_a_grant_says_binds_by_itself(action: PolicyAction, about: dict[str, object]) -> None:
    agent = reader(Role.AGENT)
    assert allowed(agent, action, replace(OFFICE, grant=a_grant()))
    decided = ENGINE.decide(agent, action, call(), replace(OFFICE, grant=a_grant(**about)))
    assert (decided.allowed, decided.policies) == (False, ("beyond-the-grant",))


@pytest.mark.guarantee("R20")
def test_a_grant_reaches_into_no_other_tenant_and_past_no_boundary() -> None:
    agent, asked = reader(Role.AGENT), replace(OFFICE, grant=a_grant())
    assert allowed(agent, PolicyAction.LISTEN, asked)
    assert not allowed(agent, PolicyAction.LISTEN, asked, call(OTHER))
    assert not allowed(agent, PolicyAction.LISTEN, replace(asked, address=None))
    marketing = replace(asked, purpose="marketing", grant=a_grant(purpose="marketing"))
    assert ENGINE.decide(agent, PolicyAction.LISTEN, call(), marketing).policies == ("purpose-not-disclosed",)


def asking(facts: ReaderFacts, *, paused: bool = False) -> Reader:
    address = ip_address("203.0.113.7")
    place = ResolvedAddress(address, str(address), (), Reason.DIRECT)
    return Reader(facts, "Hanako", place, ("office",), paused)


@pytest.mark.guarantee("R20")
def test_only_whose_the_grant_is_learns_that_there_is_a_call() -> None:
    agent = asking(reader(Role.AGENT))
    mine = replace(OFFICE, grant=a_grant(what=frozenset({PolicyAction.LISTEN_REDACTED})))
    told = judge(ENGINE.decide, agent, call(), PolicyAction.LISTEN, mine)
    assert told is not None
    assert isinstance(told.error, Forbidden)
    assert told.why == ("beyond-the-grant",)
    assert "view=redacted" in str(told.error)
    others = replace(OFFICE, grant=a_grant(reader=SOMEBODY))
    hidden = judge(ENGINE.decide, agent, call(), PolicyAction.LISTEN, others)
    missing = judge(ENGINE.decide, agent, None, PolicyAction.LISTEN, OFFICE)
    assert hidden is not None
    assert missing is not None
    assert isinstance(hidden.error, NotFound)
    assert (hidden.why, str(hidden.error)) == (missing.why, str(missing.error))


@pytest.mark.guarantee("R26")
@given(
    roles=st.frozensets(st.sampled_from(Role)),
    action=st.sampled_from([PolicyAction.VIEW, *OF_CALLS]),
    zones=st.sampled_from([(), ("office",)]),
    purpose=st.sampled_from(["quality", "emergency", None]),
    tenant=st.sampled_from([TENANT, OTHER]),
)
def test_broken_glass_opens_calls_of_the_tenant_and_lifts_no_boundary(
    roles: frozenset[Role],
    action: PolicyAction,
    zones: tuple[str, ...],
    purpose: str | None,
    tenant: UUID,
) -> None:
    asked = replace(OFFICE, zones=zones, purpose=purpose, break_glass=True)
    within = bool(zones) and tenant == TENANT and (action is PolicyAction.VIEW or purpose == "quality")
    who, without = reader(*roles), replace(asked, break_glass=False)
    expected = (within and bool(roles & ASKERS)) or allowed(who, action, without, call(tenant))
    assert allowed(who, action, asked, call(tenant)) is expected


@pytest.mark.guarantee("R26")
def test_broken_glass_gives_nothing_on_and_configures_nothing() -> None:
    lead, asked = reader(Role.SUPERVISOR, Role.AGENT), replace(OFFICE, break_glass=True)
    assert not allowed(lead, PolicyAction.GIVE_GRANT, asked)
    for action in (PolicyAction.CONFIGURE, PolicyAction.MANAGE_GRANTS, PolicyAction.APPROVE_BREAK_GLASS):
        assert not ENGINE.decide(lead, action, TenantFacts(TENANT), asked).allowed


@pytest.mark.guarantee("R31")
@pytest.mark.parametrize("action", [PolicyAction.VIEW, PolicyAction.GIVE_GRANT, *OF_CALLS])
def test_who_is_paused_is_told_that_and_nothing_of_any_call(action: PolicyAction) -> None:
    officer = asking(reader(Role.EVIDENCE_OFFICER), paused=True)
    existing = judge(ENGINE.decide, officer, call(), action, replace(OFFICE, break_glass=True))
    missing = judge(ENGINE.decide, officer, None, action, OFFICE)
    assert existing is not None
    assert missing is not None
    assert (existing.why, existing.error.code) == (missing.why, missing.error.code)
    assert (existing.why, existing.error.code) == (("reader-paused",), "reader-paused")
