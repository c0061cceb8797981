"""What the built-in policies permit: who, from where, for what."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.access.identity.subject import Reader
from otokura.access.reads.service import judge
from otokura.shared.address import Reason, ResolvedAddress
from otokura.shared.events import Role
from otokura.shared.policy.engine import POLICY_DIR, PolicyEngine, PolicyInvalid
from otokura.shared.policy.facts import (
    CallFacts,
    Circumstances,
    PolicyAction,
    ReaderFacts,
    SystemFacts,
    TenantFacts,
)

ENGINE = PolicyEngine()
TENANT, OTHER = UUID(int=1), UUID(int=2)
OFFICE = Circumstances(ip_address("203.0.113.7"), ("office",), "quality")
CONTENT = (PolicyAction.LISTEN, PolicyAction.LISTEN_REDACTED, PolicyAction.READ_TRANSCRIPT)
READING = (PolicyAction.VIEW, *CONTENT)


def reader(*roles: Role, team: str | None = None, agent_ids: frozenset[str] = frozenset()) -> ReaderFacts:
    return ReaderFacts(UUID(int=9), TENANT, frozenset(roles), team, agent_ids)


def call(agent_id: str | None = "2041", team: str | None = "tokyo", tenant: UUID = TENANT) -> CallFacts:
    return CallFacts(UUID(int=5), tenant, agent_id, team, frozenset({"quality"}))


def allowed(
    who: ReaderFacts, action: PolicyAction, what: CallFacts | None = None, where: Circumstances = OFFICE
) -> bool:
    return ENGINE.decide(who, action, what or call(), where).allowed


@pytest.mark.parametrize("action", READING)
def test_an_agent_reads_calls_of_their_own_aliases_only(action: PolicyAction) -> None:
    agent = reader(Role.AGENT, agent_ids=frozenset({"2041", "x-7"}))
    assert allowed(agent, action)
    assert allowed(agent, action, call(agent_id="x-7"))
    assert not allowed(agent, action, call(agent_id="2042"))
    assert not allowed(agent, action, call(agent_id=None))
    assert not allowed(reader(Role.AGENT), action)


@pytest.mark.parametrize("action", READING)
def test_a_supervisor_reads_calls_of_their_team_only(action: PolicyAction) -> None:
    supervisor = reader(Role.SUPERVISOR, team="tokyo")
    assert allowed(supervisor, action)
    assert not allowed(supervisor, action, call(team="osaka"))
    assert not allowed(supervisor, action, call(team=None))


@pytest.mark.parametrize("action", READING)
def test_a_supervisor_of_no_team_reads_the_whole_tenant(action: PolicyAction) -> None:
    supervisor = reader(Role.SUPERVISOR)
    assert allowed(supervisor, action, call(team="osaka"))
    assert allowed(supervisor, action, call(team=None, agent_id=None))


@pytest.mark.parametrize("action", CONTENT)
def test_an_evidence_officer_needs_a_reason(action: PolicyAction) -> None:
    officer = reader(Role.EVIDENCE_OFFICER)
    decision = ENGINE.decide(officer, action, call(), OFFICE)
    assert (decision.allowed, decision.policies) == (False, ("reason-required",))
    assert allowed(officer, action, where=replace(OFFICE, reason="case 7"))
    assert allowed(officer, PolicyAction.VIEW)


@pytest.mark.guarantee("T24")
def test_an_analyst_has_redacted_text_and_nothing_else() -> None:
    analyst = reader(Role.ANALYST)
    having = {action for action in (*READING, PolicyAction.READ_REDACTED) if allowed(analyst, action)}
    assert having == {PolicyAction.VIEW, PolicyAction.READ_REDACTED}
    assert not allowed(analyst, PolicyAction.READ_REDACTED, where=replace(OFFICE, purpose="training"))
    assert not allowed(analyst, PolicyAction.READ_REDACTED, where=replace(OFFICE, zones=()))


@pytest.mark.guarantee("T92")
@given(
    roles=st.frozensets(st.sampled_from(Role)),
    team=st.sampled_from([None, "tokyo"]),
    reason=st.sampled_from([None, "case 7"]),
)
def test_who_may_listen_and_nobody_else_may_hear_the_redacted_recording(
    roles: frozenset[Role], team: str | None, reason: str | None
) -> None:
    who, where = reader(*roles, team=team, agent_ids=frozenset({"2041"})), replace(OFFICE, reason=reason)
    for what in (call(), call(agent_id="2042"), call(team="osaka")):
        redacted = allowed(who, PolicyAction.LISTEN_REDACTED, what, where)
        assert redacted is allowed(who, PolicyAction.LISTEN, what, where)


@pytest.mark.guarantee("T92")
def test_a_policy_can_give_the_redacted_recording_to_who_may_not_have_the_other(tmp_path: Path) -> None:
    more = """@id("analysts-hear") permit (
        principal in Otokura::Role::"analyst", action == Otokura::Action::"listen-redacted", resource
    );"""
    for path in POLICY_DIR.glob("*.cedar"):
        (tmp_path / path.name).write_text(path.read_text())
    engine = PolicyEngine(write_policies(tmp_path, more))
    analyst = reader(Role.ANALYST)
    assert engine.decide(analyst, PolicyAction.LISTEN_REDACTED, call(), OFFICE).policies == ("analysts-hear",)
    assert not engine.decide(analyst, PolicyAction.LISTEN, call(), OFFICE).allowed
    told = judge(engine.decide, asking(analyst), call(), PolicyAction.LISTEN, OFFICE)
    assert told is not None
    assert "view=redacted" in str(told.error)


def asking(facts: ReaderFacts) -> Reader:
    address = ip_address("203.0.113.7")
    return Reader(facts, "Hanako", ResolvedAddress(address, str(address), (), Reason.DIRECT), ("office",))


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.AGENT])
def test_who_may_read_the_raw_text_may_read_the_redacted(role: Role) -> None:
    who = reader(role, agent_ids=frozenset({"2041"}))
    assert allowed(who, PolicyAction.READ_REDACTED) is allowed(who, PolicyAction.READ_TRANSCRIPT) is True


@pytest.mark.guarantee("R4")
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.OPERATOR, Role.VENDOR])
@pytest.mark.parametrize("action", READING)
def test_these_roles_read_no_content(role: Role, action: PolicyAction) -> None:
    who = reader(role, team="tokyo", agent_ids=frozenset({"2041"}))
    assert not allowed(who, action)
    assert not ENGINE.decide(who, PolicyAction.SEARCH, TenantFacts(TENANT), OFFICE).allowed


@pytest.mark.guarantee("R2")
@given(
    roles=st.frozensets(st.sampled_from(Role)),
    team=st.sampled_from([None, "tokyo"]),
    action=st.sampled_from(READING),
)
def test_nobody_reads_from_outside_the_zones(
    roles: frozenset[Role], team: str | None, action: PolicyAction
) -> None:
    who = reader(*roles, team=team, agent_ids=frozenset({"2041"}))
    outside = replace(OFFICE, zones=(), reason="case 7")
    assert "outside-zones" in ENGINE.decide(who, action, call(), outside).policies
    assert not allowed(who, action, where=outside)
    assert not allowed(who, action, where=replace(OFFICE, address=None, reason="case 7"))


@pytest.mark.guarantee("R3")
@given(
    roles=st.frozensets(st.sampled_from(Role)),
    team=st.sampled_from([None, "tokyo"]),
    action=st.sampled_from(READING),
)
def test_nobody_reads_another_tenants_calls(
    roles: frozenset[Role], team: str | None, action: PolicyAction
) -> None:
    who = reader(*roles, team=team, agent_ids=frozenset({"2041"}))
    assert not allowed(who, action, call(tenant=OTHER), replace(OFFICE, reason="case 7"))
    assert not ENGINE.decide(who, PolicyAction.CONFIGURE, TenantFacts(OTHER), OFFICE).allowed


@pytest.mark.guarantee("R5")
@given(roles=st.frozensets(st.sampled_from(Role)), purpose=st.sampled_from(["training", "", "Quality", None]))
def test_nobody_reads_for_a_purpose_that_was_not_disclosed(
    roles: frozenset[Role], purpose: str | None
) -> None:
    who = reader(*roles, agent_ids=frozenset({"2041"}))
    for action in CONTENT:
        decision = ENGINE.decide(who, action, call(), replace(OFFICE, purpose=purpose, reason="case 7"))
        assert not decision.allowed
        assert "purpose-not-disclosed" in decision.policies


def test_administrators_configure_their_tenant_from_anywhere() -> None:
    admin, home = reader(Role.ADMIN), replace(OFFICE, zones=())
    assert ENGINE.decide(admin, PolicyAction.CONFIGURE, TenantFacts(TENANT), home).allowed
    assert ENGINE.decide(admin, PolicyAction.MANAGE_PRINCIPALS, TenantFacts(TENANT), home).allowed
    assert not ENGINE.decide(admin, PolicyAction.MANAGE_TENANTS, SystemFacts(), home).allowed
    unknown = replace(home, address=None)
    assert not ENGINE.decide(admin, PolicyAction.CONFIGURE, TenantFacts(TENANT), unknown).allowed


def test_operators_manage_tenants_and_belong_to_none() -> None:
    operator = ReaderFacts(UUID(int=9), None, frozenset({Role.OPERATOR}), None, frozenset())
    assert ENGINE.decide(operator, PolicyAction.MANAGE_TENANTS, SystemFacts(), OFFICE).allowed
    assert not ENGINE.decide(operator, PolicyAction.CONFIGURE, TenantFacts(TENANT), OFFICE).allowed
    assert not ENGINE.decide(operator, PolicyAction.LISTEN, call(), OFFICE).allowed


def test_ipv6_readers_are_understood() -> None:
    home = Circumstances(ip_address("2001:db8::7"), ("office",), "quality")
    assert allowed(reader(Role.SUPERVISOR), PolicyAction.LISTEN, where=home)


def write_policies(folder: Path, text: str) -> Path:
    (folder / "schema.cedarschema").write_text((POLICY_DIR / "schema.cedarschema").read_text())
    (folder / "only.cedar").write_text(text)
    return folder


EVERYTHING = '@id("all") permit (principal, action, resource);'


def test_a_policy_that_permits_everything_is_warned_of(tmp_path: Path) -> None:
    engine = PolicyEngine(write_policies(tmp_path, EVERYTHING))
    assert engine.warnings == ['The policy "all" permits everything to everybody.']
    narrower = '@id("some") permit (principal, action, resource) when { resource is Otokura::Call };'
    assert PolicyEngine(write_policies(tmp_path, narrower)).warnings == []
    assert ENGINE.warnings == []


@pytest.mark.parametrize(
    ("text", "what"),
    [("permit (principal, action, resource);", "no name"), (EVERYTHING + EVERYTHING, 'called "all"')],
)
def test_every_policy_has_a_name_of_its_own(tmp_path: Path, text: str, what: str) -> None:
    """By which an entry says what let somebody in."""
    with pytest.raises(PolicyInvalid, match=what):
        PolicyEngine(write_policies(tmp_path, text))


def test_policies_that_do_not_conform_to_the_schema_are_refused(tmp_path: Path) -> None:
    typo = '@id("typo") permit (principal, action == Otokura::Action::"lisen", resource);'
    with pytest.raises(PolicyInvalid, match="schema"):
        PolicyEngine(write_policies(tmp_path, typo))


@pytest.mark.parametrize("text", ["permit (principal, action, resource)", "forbid everything;"])
def test_policies_that_cannot_be_parsed_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(PolicyInvalid, match="parsed"):
        PolicyEngine(write_policies(tmp_path, text))


def test_a_folder_without_policies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid):
        PolicyEngine(tmp_path)


def test_a_policy_that_cannot_be_evaluated_is_a_denial(tmp_path: Path) -> None:
    text = """
        @id("all") permit (principal, action, resource);
        @id("broken") forbid (principal, action == Otokura::Action::"manage-tenants", resource)
        when { 9223372036854775807 + 1 == 0 };
    """
    engine = PolicyEngine(write_policies(tmp_path, text))
    assert not engine.decide(reader(), PolicyAction.MANAGE_TENANTS, SystemFacts(), OFFICE).allowed
    assert engine.decide(reader(), PolicyAction.CONFIGURE, TenantFacts(TENANT), OFFICE).allowed


def test_other_policies_have_another_version(tmp_path: Path) -> None:
    changed = PolicyEngine(write_policies(tmp_path, EVERYTHING))
    assert changed.version != ENGINE.version
    assert PolicyEngine().version == ENGINE.version
