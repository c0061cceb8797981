"""A question goes into an audit entry and comes back as it was."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from otokura.shared.events import Role
from otokura.shared.policy.engine import PolicyEngine
from otokura.shared.policy.facts import (
    CallFacts,
    Circumstances,
    FeedFacts,
    GrantFacts,
    PolicyAction,
    ReaderFacts,
    SystemFacts,
    TenantFacts,
)
from otokura.shared.policy.questions import Question

ENGINE = PolicyEngine()
names = st.sampled_from(["2041", "tokyo", "quality", "training", ""])
some = st.none() | names
sets = st.frozensets(names, max_size=3)
readers = st.builds(
    ReaderFacts,
    st.uuids(),
    st.none() | st.uuids(),
    st.frozensets(st.sampled_from(Role), max_size=3),
    some,
    sets,
)
feeds = st.builds(FeedFacts, st.uuids(), st.uuids(), names, st.booleans(), sets)
resources = st.one_of(
    st.builds(CallFacts, st.uuids(), st.uuids(), some, some, sets),
    st.builds(TenantFacts, st.uuids()),
    st.builds(SystemFacts),
)
grants = st.builds(
    GrantFacts,
    st.uuids(),
    st.uuids(),
    st.uuids(),
    st.frozensets(st.sampled_from(PolicyAction), max_size=3),
    names,
    sets,
)
places = st.builds(
    Circumstances,
    st.none() | st.ip_addresses(),
    st.lists(names, max_size=3).map(sorted).map(tuple),
    some,
    some,
    st.booleans(),
    st.none() | grants,
    st.booleans(),
)


@given(st.one_of(readers, feeds), st.sampled_from(PolicyAction), resources, places)
def test_a_question_that_was_written_down_is_the_question_that_was_asked(
    subject: Any, action: PolicyAction, resource: Any, asked: Circumstances
) -> None:
    written = json.dumps(Question.of(subject, action, resource, asked).described())
    read = Question.model_validate_json(written)
    assert (read.subject, read.action, read.resource, read.circumstances) == (
        subject,
        action,
        resource,
        asked,
    )
    assert json.dumps(read.described()) == written


def test_it_is_judged_as_it_was() -> None:
    tenant = UUID(int=1)
    who = ReaderFacts(UUID(int=2), tenant, frozenset({Role.AGENT}), None, frozenset({"2041"}))
    call = CallFacts(UUID(int=3), tenant, "2041", None, frozenset({"quality"}))
    asked = Circumstances(ip_address("203.0.113.7"), ("office",), "quality")
    question = Question.of(who, PolicyAction.LISTEN, call, asked)
    assert ENGINE.judge(question) == ENGINE.decide(who, PolicyAction.LISTEN, call, asked)
    assert ENGINE.judge(question).policies == ("agent-own-calls",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "listen"},
        {"action": "lisen", "reader": {"id": str(UUID(int=2)), "tenant_id": None, "roles": []}},
        {"action": "listen", "reader": {"id": str(UUID(int=2)), "tenant_id": None, "roles": [], "tean": "x"}},
    ],
)
def test_what_is_no_question_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Question.model_validate(wrong)
