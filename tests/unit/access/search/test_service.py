"""What can be looked for, by whom in which text, and where a search goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from otokura.access.identity.subject import Reader
from otokura.access.reads.repository import Scope
from otokura.access.reads.views import View
from otokura.access.search import cursors
from otokura.access.search.cursors import Place
from otokura.access.search.hashes import IndexKey
from otokura.access.search.service import phrase_of, properties_wanted, readable, scopes
from otokura.access.search.views import SearchBody
from otokura.shared.address import Reason, ResolvedAddress
from otokura.shared.errors import BadRequest, Unprocessable
from otokura.shared.events import Role
from otokura.shared.policy.engine import PolicyEngine
from otokura.shared.policy.facts import CallFacts, PolicyAction, ReaderFacts, TenantFacts

ENGINE = PolicyEngine()
TENANT = UUID(int=1)
KEY = IndexKey(TENANT, UUID(int=3), b"k" * 32)
PLACE = Place(started_at=datetime(2026, 4, 1, tzinfo=UTC), call_id=UUID(int=7), found=3)


def body(**about: Any) -> SearchBody:
    return SearchBody.model_validate({"phrase": "解約したい", "purpose": "quality", **about})


def reader(*roles: Role, team: str | None = None, agent_ids: frozenset[str] = frozenset()) -> Reader:
    facts = ReaderFacts(UUID(int=9), TENANT, frozenset(roles), team, agent_ids)
    address = ip_address("203.0.113.7")
    return Reader(facts, "Hanako", ResolvedAddress(address, str(address), (), Reason.DIRECT), ("office",))


def call(agent_id: str = "2041", team: str = "tokyo") -> CallFacts:
    return CallFacts(UUID(int=5), TENANT, agent_id, team, frozenset({"quality"}))


@pytest.mark.parametrize("phrase", ["", " ", "、。", "!?", "a", "ab", "約", "🙂🙂🙂", "･･･", "\x00\x00\x00"])
def test_a_phrase_that_says_too_little_is_refused_with_words(phrase: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        phrase_of(body(phrase=phrase))
    assert "phrase" in refused.value.detail


@pytest.mark.parametrize("phrase", ["解約", "abc", "a約", "カード", "ﾀｸｼｰ", "123"])
def test_a_short_phrase_is_enough(phrase: str) -> None:
    assert phrase_of(body(phrase=phrase))


@pytest.mark.parametrize(
    "about",
    [
        {"phrase": "x" * 201},
        {"phrase": "\ud800\ud800\ud800"},
        {"purpose": "Quality"},
        {"limit": 0},
        {"limit": 51},
        {"signals": ["complaints"]},
        {"signals": ["complaint"] * 11},
        {"language": "日本語"},
        {"agent_id": "\x00"},
        {"customer": ""},
        {"reason": "\x00"},
        {"from": "2026-04-01T00:00:00"},
        {"from": "2026-04-02T00:00:00Z", "to": "2026-04-01T00:00:00Z"},
        {"unknown": 1},
    ],
)
def test_a_question_that_cannot_be_understood_is_refused(about: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        body(**about)


def test_a_number_is_wanted_as_it_is_compared() -> None:
    assert properties_wanted(body(customer="+81 3 1234 5678")).customers == {"0312345678"}
    assert properties_wanted(body()).customers == frozenset()


@pytest.mark.guarantee("R42")
def test_who_reads_redacted_text_only_is_looked_for_in_nothing_else() -> None:
    nothing = Scope(TENANT, everything=False, team=None, agent_ids=())
    everything = Scope(TENANT, everything=True, team=None, agent_ids=())
    own = Scope(TENANT, everything=False, team=None, agent_ids=("2041",))
    every = Scope(TENANT, everything=True, team=None, agent_ids=("2041",))
    team = Scope(TENANT, everything=False, team="tokyo", agent_ids=())
    ids = frozenset({"2041"})
    assert scopes(ENGINE.decide, reader(Role.ANALYST), body()) == (everything, nothing)
    assert scopes(ENGINE.decide, reader(Role.ANALYST, Role.AGENT, agent_ids=ids), body()) == (every, own)
    assert scopes(ENGINE.decide, reader(Role.AGENT, agent_ids=ids), body()) == (own, own)
    assert scopes(ENGINE.decide, reader(Role.SUPERVISOR, team="tokyo"), body()) == (team, team)
    assert scopes(ENGINE.decide, reader(Role.SUPERVISOR), body()) == (everything, everything)
    assert scopes(ENGINE.decide, reader(Role.EVIDENCE_OFFICER), body()) == (everything, everything)
    assert scopes(ENGINE.decide, reader(Role.ADMIN), body()) == (nothing, nothing)
    broken = replace(reader(Role.AGENT, agent_ids=ids), break_glass=UUID(int=8))
    assert scopes(ENGINE.decide, broken, body()) == (everything, everything)
    was_agent = replace(reader(Role.ANALYST), break_glass=UUID(int=8))
    assert scopes(ENGINE.decide, was_agent, body()) == (everything, nothing), "who may ask for it no more"
    number = body(customer="0312345678")
    assert scopes(ENGINE.decide, reader(Role.ANALYST), number) == (nothing, nothing)
    assert scopes(ENGINE.decide, reader(Role.ANALYST, Role.AGENT, agent_ids=ids), number) == (own, own)


@pytest.mark.guarantee("R42")
def test_the_policies_say_which_text_of_a_call_is_looked_at() -> None:
    def of(who: Reader, what: CallFacts, purpose: str = "quality", reason: str | None = None) -> View | None:
        return readable(ENGINE.decide, who.facts, what, who.circumstances(purpose, reason))

    both = reader(Role.ANALYST, Role.AGENT, agent_ids=frozenset({"2041"}))
    assert of(both, call()) is View.RAW
    assert of(both, call(agent_id="2042")) is View.REDACTED
    assert of(both, call(), "training") is None
    assert of(reader(Role.ANALYST), call()) is View.REDACTED
    assert of(reader(Role.SUPERVISOR, team="osaka"), call()) is None
    assert of(reader(Role.EVIDENCE_OFFICER), call()) is None
    assert of(reader(Role.EVIDENCE_OFFICER), call(), reason="case 7") is View.RAW
    assert of(reader(Role.ADMIN), call()) is None


@pytest.mark.guarantee("R4")
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.OPERATOR, Role.VENDOR])
def test_these_roles_do_not_search(role: Role) -> None:
    who = reader(role)
    asked = who.circumstances("quality", "case 7")
    assert not ENGINE.decide(who.facts, PolicyAction.SEARCH_TEXT, TenantFacts(TENANT), asked).allowed


@pytest.mark.guarantee("R44")
def test_a_cursor_is_good_for_its_question_only() -> None:
    cursor = cursors.sealed(KEY, "question", PLACE)
    assert cursors.opened(KEY, "question", cursor) == PLACE
    assert cursors.sealed(KEY, "question", PLACE) != cursor
    other = IndexKey(TENANT, UUID(int=4), b"o" * 32)
    for key, question, text in (
        (KEY, "another", cursor),
        (other, "question", cursor),
        (KEY, "question", cursor[:-1]),
        (KEY, "question", "A" + cursor[1:] if cursor[0] != "A" else "B" + cursor[1:]),
        (KEY, "question", ""),
        (KEY, "question", "e30"),
        (KEY, "question", "解約"),
        (KEY, "question", "%%%"),
    ):
        with pytest.raises(BadRequest):
            cursors.opened(key, question, text)
