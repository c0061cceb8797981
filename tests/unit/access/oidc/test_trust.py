"""What a tenant's configuration makes of claims."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oidc_support import AUDIENCE, claims, trusting
from otokura.access.oidc.errors import TokenRefusedError
from otokura.access.oidc.trust import Arrival, IssuerSettings, arrival, overlaps
from otokura.shared.events import Role

GROUPS = [
    {"group": "supervisors", "role": "supervisor", "team": "tokyo"},
    {"group": "osaka", "role": "supervisor", "team": "osaka"},
    {"group": "agents", "role": "agent"},
    {"group": "compliance", "role": "auditor"},
]


def arrived(about: dict[str, Any], **configured: Any) -> Arrival:
    return arrival(trusting(**{"groups": GROUPS, **configured}), claims(**about))


@pytest.mark.guarantee("P13")
@pytest.mark.parametrize(
    ("groups", "roles", "team"),
    [
        (["supervisors"], {"supervisor"}, "tokyo"),
        (["agents", "unknown"], {"agent"}, None),
        (["agents", "osaka"], {"agent", "supervisor"}, "osaka"),
        (["osaka", "supervisors"], {"supervisor"}, "tokyo"),
        ("supervisors", {"supervisor"}, "tokyo"),
        (["Supervisors"], set(), None),
        (["supervisor"], set(), None),
        ([], set(), None),
        ("absent", set(), None),
        ({"supervisors": True}, set(), None),
        ([["supervisors"], 1, None], set(), None),
    ],
)
def test_groups_give_roles_and_nothing_else_does(groups: object, roles: set[str], team: str | None) -> None:
    found = arrived({"groups": groups, "roles": ["admin"], "role": "admin"})
    assert (found.roles, found.team, found.clashing) == (frozenset(map(Role, roles)), team, False)


@pytest.mark.guarantee("P13")
def test_roles_that_must_not_meet_give_none() -> None:
    found = arrived({"groups": ["compliance", "agents"]})
    assert (found.roles, found.team, found.clashing) == (frozenset(), None, True)


def test_without_a_claim_of_groups_roles_are_not_touched() -> None:
    assert arrived({}, groups_claim=None, groups=[]).roles is None


def test_names_of_phone_systems_are_taken_from_their_claim() -> None:
    assert arrived({"cti": ["2041", "2042"]}).agent_ids is None
    assert arrived({"cti": ["2041", "2042"]}, agents_claim="cti").agent_ids == frozenset({"2041", "2042"})
    assert arrived({"cti": "2041"}, agents_claim="cti").agent_ids == frozenset({"2041"})
    odd = ["2041", "", " ", "a\x00b", "a\nb", "\ud800", "x" * 129, 7, None]
    assert arrived({"cti": odd}, agents_claim="cti").agent_ids == frozenset({"2041"})
    assert arrived({}, agents_claim="cti").agent_ids == frozenset()


@pytest.mark.guarantee("P12")
@pytest.mark.parametrize("subject", ["", " ", "a\x00b", "a\nb", "\ud800", "x" * 256, None, 1, ["hanako"]])
def test_somebody_without_a_usable_name_is_nobody(subject: object) -> None:
    with pytest.raises(TokenRefusedError):
        arrival(trusting(subject_claim="oid"), claims(oid=subject))


@pytest.mark.guarantee("P12")
def test_an_address_is_not_who_somebody_is() -> None:
    """Mail addresses change hands, and some issuers let anybody claim one."""
    one = arrived({"sub": "1", "email": "hanako@example.jp", "email_verified": True})
    other = arrived({"sub": "2", "email": "hanako@example.jp", "email_verified": True})
    assert (one.subject, other.subject) == ("1", "2")
    with pytest.raises(ValidationError):
        trusting(subject="email")


def test_a_name_is_shown_and_not_obeyed() -> None:
    assert arrived({"name": "山田 花子"}).name == "山田 花子"
    assert arrived({"name": " a\x00\x1b[31mb\n "}).name == "a  [31mb"
    assert arrived({"name": "x" * 1000}).name == "x" * 200
    for nameless in ("", " ", 1, None, "absent"):
        assert arrived({"name": nameless}).name is None


def test_a_program_that_speaks_for_itself_is_a_client() -> None:
    assert arrived({"client_id": "hanako"}).kind == "client"
    assert arrived({"azp": "hanako"}).kind == "client"
    assert arrived({"client_id": "console"}).kind == "person"


def settings(**changes: Any) -> IssuerSettings:
    return IssuerSettings.model_validate({"audience": AUDIENCE, **changes})


HERE = {"claim": "hd", "value": "here.example"}
THERE = {"claim": "hd", "value": "there.example"}


@pytest.mark.guarantee("P12")
@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({}, {}, True),
        ({}, {"audience": "other"}, False),
        ({"required": HERE}, {}, True),
        ({"required": HERE}, {"required": HERE}, True),
        ({"required": HERE}, {"required": THERE}, False),
        ({"required": HERE}, {"required": {**THERE, "claim": "tid"}}, True),
        ({"required": HERE}, {"required": THERE, "audience": "other"}, False),
    ],
)
def test_two_configurations_of_an_issuer_are_told_apart(
    one: dict[str, Any], other: dict[str, Any], both: bool
) -> None:
    assert overlaps(settings(**one), settings(**other)) is both
    assert overlaps(settings(**other), settings(**one)) is both


@pytest.mark.parametrize(
    "wrong",
    [
        {"audience": ""},
        {"audience": "a\nb"},
        {"algorithms": []},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": ["RS256", "HS256"]},
        {"algorithms": ["ES256K"]},
        {"groups_claim": "groups"},
        {"groups": GROUPS},
        {"provisioning": True},
        {"groups_claim": "groups", "groups": [{"group": "x", "role": "operator"}]},
        {"groups_claim": "groups", "groups": [{"group": "x", "role": "vendor"}]},
        {"groups_claim": "groups", "groups": [{"group": "x", "role": "root"}]},
        {"required": {"claim": "hd"}},
        {"unknown": 1},
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


@given(groups=st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner, max_size=4)))
def test_no_claim_of_groups_makes_an_administrator_of_anybody_else(groups: object) -> None:
    assert arrived({"groups": groups}).roles is not None
    assert Role.ADMIN not in (arrived({"groups": groups}).roles or ())
