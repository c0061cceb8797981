"""What the built-in policies let a feed have."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID

import pytest

from otokura.shared.events import Role
from otokura.shared.policy.engine import POLICY_DIR, PolicyEngine
from otokura.shared.policy.facts import (
    CallFacts,
    Circumstances,
    FeedFacts,
    PolicyAction,
    ReaderFacts,
    TenantFacts,
)

ENGINE = PolicyEngine()
TENANT, OTHER = UUID(int=1), UUID(int=2)
FEED = FeedFacts(UUID(int=3), TENANT, "quality", redacted=True, fields=frozenset({"turns"}))
CALL = CallFacts(UUID(int=4), TENANT, "2041", None, frozenset({"quality"}))
ASKED = Circumstances(None, (), "quality")


@pytest.mark.parametrize("live", [False, True])
def test_a_feed_is_given_redacted_text_of_its_tenants_calls(live: bool) -> None:
    decision = ENGINE.decide(FEED, PolicyAction.DISCLOSE, CALL, replace(ASKED, live=live))
    assert (decision.allowed, decision.policies) == (True, ("feed-redacted",))


@pytest.mark.guarantee("T62")
def test_a_feed_is_given_nothing_of_another_tenants_calls() -> None:
    decision = ENGINE.decide(FEED, PolicyAction.DISCLOSE, replace(CALL, tenant_id=OTHER), ASKED)
    assert (decision.allowed, decision.policies) == (False, ("other-tenant",))


@pytest.mark.guarantee("T67")
@pytest.mark.parametrize("purpose", ["training", "", "Quality", None])
def test_a_feed_is_given_nothing_for_a_purpose_that_was_not_disclosed(purpose: str | None) -> None:
    decision = ENGINE.decide(FEED, PolicyAction.DISCLOSE, CALL, replace(ASKED, purpose=purpose))
    assert (decision.allowed, decision.policies) == (False, ("purpose-not-disclosed",))


@pytest.mark.parametrize("action", [PolicyAction.DISCLOSE, PolicyAction.DISCLOSE_RAW])
def test_nothing_permits_raw_text(action: PolicyAction) -> None:
    assert not ENGINE.decide(replace(FEED, redacted=False), action, CALL, ASKED).allowed


@pytest.mark.parametrize("action", [PolicyAction.LISTEN, PolicyAction.READ_TRANSCRIPT, PolicyAction.VIEW])
def test_a_feed_is_no_reader(action: PolicyAction) -> None:
    office = Circumstances(ip_address("203.0.113.7"), ("office",), "quality")
    assert not ENGINE.decide(FEED, action, CALL, office).allowed


def test_a_reader_is_no_feed() -> None:
    reader = ReaderFacts(UUID(int=9), TENANT, frozenset(Role), None, frozenset())
    assert not ENGINE.decide(reader, PolicyAction.DISCLOSE, CALL, ASKED).allowed


def test_an_administrator_manages_feeds_but_none_with_raw_text() -> None:
    admin = ReaderFacts(UUID(int=9), TENANT, frozenset({Role.ADMIN}), None, frozenset())
    home = Circumstances(ip_address("198.51.100.9"), ())
    assert ENGINE.decide(admin, PolicyAction.MANAGE_FEEDS, TenantFacts(TENANT), home).allowed
    assert not ENGINE.decide(admin, PolicyAction.MANAGE_FEEDS, TenantFacts(OTHER), home).allowed
    assert not ENGINE.decide(admin, PolicyAction.MANAGE_RAW_FEEDS, TenantFacts(TENANT), home).allowed
    for role in set(Role) - {Role.ADMIN}:
        who = replace(admin, roles=frozenset({role}))
        assert not ENGINE.decide(who, PolicyAction.MANAGE_FEEDS, TenantFacts(TENANT), home).allowed


def test_a_company_may_permit_raw_text_to_one_feed(tmp_path: Path) -> None:
    """With the policies that docs/analytics.md shows, beside the built-in ones."""
    for file in POLICY_DIR.iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    shown = (Path(__file__).parents[4] / "docs" / "analytics.md").read_text()
    own = shown.partition("```cedar\n")[2].partition("```")[0].replace("<id of the feed>", str(FEED.id))
    (tmp_path / "raw.cedar").write_text(own)
    engine = PolicyEngine(tmp_path)
    raw, other = replace(FEED, redacted=False), replace(FEED, redacted=False, id=UUID(int=7))
    assert engine.decide(raw, PolicyAction.DISCLOSE_RAW, CALL, ASKED).allowed
    assert not engine.decide(other, PolicyAction.DISCLOSE_RAW, CALL, ASKED).allowed
    assert not engine.decide(raw, PolicyAction.DISCLOSE_RAW, replace(CALL, tenant_id=OTHER), ASKED).allowed
    admin = ReaderFacts(UUID(int=9), TENANT, frozenset({Role.ADMIN}), None, frozenset())
    home = Circumstances(ip_address("198.51.100.9"), ())
    assert engine.decide(admin, PolicyAction.MANAGE_RAW_FEEDS, TenantFacts(TENANT), home).allowed
