"""What a reader is told when a read is refused."""

from __future__ import annotations

from ipaddress import ip_address
from uuid import UUID

import pytest

from otokura.access.identity.subject import Reader
from otokura.access.policy.denial import Denial
from otokura.access.reads.service import judge
from otokura.shared.address import Reason, ResolvedAddress
from otokura.shared.errors import Forbidden, NotFound
from otokura.shared.events import Role
from otokura.shared.policy.engine import PolicyEngine
from otokura.shared.policy.facts import CallFacts, PolicyAction, ReaderFacts

ENGINE = PolicyEngine()
TENANT = UUID(int=1)
CALL = CallFacts(UUID(int=5), TENANT, "2041", "tokyo", frozenset({"quality"}))


def reader(*roles: Role, zones: tuple[str, ...] = ("office",), tenant: UUID | None = TENANT) -> Reader:
    facts = ReaderFacts(UUID(int=9), tenant, frozenset(roles), None, frozenset())
    address = ip_address("203.0.113.7")
    return Reader(facts, "Hanako", ResolvedAddress(address, str(address), (), Reason.DIRECT), zones)


def asked(
    who: Reader, call: CallFacts | None, purpose: str = "quality", action: PolicyAction = PolicyAction.LISTEN
) -> Denial | None:
    return judge(ENGINE.decide, who, call, action, who.circumstances(purpose))


def test_a_permitted_read_has_no_denial() -> None:
    assert asked(reader(Role.SUPERVISOR), CALL) is None


@pytest.mark.guarantee("R6")
def test_a_call_that_may_not_be_viewed_looks_absent() -> None:
    hidden, missing = asked(reader(Role.AGENT), CALL), asked(reader(Role.AGENT), None)
    assert hidden is not None
    assert missing is not None
    assert isinstance(hidden.error, NotFound)
    assert (hidden.why, str(hidden.error)) == (missing.why, str(missing.error))


@pytest.mark.guarantee("R6")
@pytest.mark.parametrize("who", [reader(Role.AUDITOR), reader(Role.SUPERVISOR, zones=())])
def test_who_may_not_search_is_told_the_same_whether_the_call_exists_or_not(who: Reader) -> None:
    existing, missing = asked(who, CALL), asked(who, None)
    assert existing is not None
    assert missing is not None
    assert isinstance(existing.error, Forbidden)
    assert (existing.why, str(existing.error)) == (missing.why, str(missing.error))


def test_who_may_view_a_call_learns_why_they_may_not_hear_it() -> None:
    denial = asked(reader(Role.SUPERVISOR), CALL, purpose="training")
    assert denial is not None
    assert denial.why == ("purpose-not-disclosed",)
    assert denial.error.extensions["purposes"] == ["quality"]


def test_an_evidence_officer_is_asked_for_a_reason() -> None:
    denial = asked(reader(Role.EVIDENCE_OFFICER), CALL)
    assert denial is not None
    assert denial.why == ("reason-required",)


def test_an_operator_belongs_to_no_tenant() -> None:
    denial = asked(reader(Role.OPERATOR, tenant=None), None)
    assert denial is not None
    assert denial.why == ("no-tenant",)
