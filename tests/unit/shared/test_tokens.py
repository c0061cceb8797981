from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core import Issuer, principal
from otokura.shared import tokens
from otokura.shared.errors import Unauthenticated
from otokura.shared.events import Role
from otokura.shared.ids import uuid7
from otokura.shared.tokens import Principal


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


async def test_a_token_stands_for_its_principal(issuer: Issuer) -> None:
    person = principal(
        roles=frozenset({Role.SUPERVISOR, Role.AGENT}),
        kind="person",
        agent_ids=frozenset({"7001", "7002"}),
        team="東京",
    )
    found = await issuer.verifier.verify(issuer.issue(person, timedelta(minutes=5)))
    assert found == replace(person, good_until=person.issued_at + timedelta(minutes=5) + tokens.LEEWAY)


async def test_an_operator_belongs_to_no_tenant(issuer: Issuer) -> None:
    operator = Principal(uuid7(), None, frozenset({Role.OPERATOR}), "person")
    found = await issuer.verifier.verify(issuer.issue(operator))
    assert replace(found, good_until=None) == operator


def test_nobody_else_is_without_a_tenant() -> None:
    with pytest.raises(ValueError, match="operator"):
        Principal(uuid7(), None, frozenset({Role.OPERATOR, Role.AUDITOR}), "person")


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(seconds=-1), timedelta(hours=25)])
def test_no_token_lives_longer_than_revocations_are_kept(issuer: Issuer, lifetime: timedelta) -> None:
    with pytest.raises(ValueError, match="lives"):
        issuer.issue(principal(), lifetime)


@pytest.mark.guarantee("W1")
async def test_a_token_once_checked_is_checked_again_for_revocation(issuer: Issuer) -> None:
    who = principal()
    token = issuer.issue(who)
    await issuer.verifier.verify(token)
    issuer.revoked.add(who.jti)
    with pytest.raises(Unauthenticated, match="revoked"):
        await issuer.verifier.verify(token)


async def test_a_token_once_checked_falls_with_its_key(issuer: Issuer) -> None:
    token = issuer.issue(principal())
    await issuer.verifier.verify(token)
    del issuer.keys["k1"]
    with pytest.raises(Unauthenticated, match="not known"):
        await issuer.verifier.verify(token)


async def test_a_token_once_checked_falls_when_its_key_is_replaced(issuer: Issuer) -> None:
    token = issuer.issue(principal())
    await issuer.verifier.verify(token)
    issuer.keys["k1"] = Issuer().private_key.public_key()
    with pytest.raises(Unauthenticated, match="signature"):
        await issuer.verifier.verify(token)


async def test_a_token_once_checked_expires(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    token = issuer.issue(principal(), timedelta(minutes=5))
    await issuer.verifier.verify(token)
    later = (datetime.now(UTC) + timedelta(minutes=6)).timestamp()
    monkeypatch.setattr("otokura.shared.tokens.time.time", lambda: later)
    with pytest.raises(Unauthenticated, match="expired"):
        await issuer.verifier.verify(token)


async def test_only_so_many_tokens_are_remembered(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_CACHED_TOKENS", 3)
    issued = [issuer.issue(principal()) for _ in range(5)]
    for token in issued:
        await issuer.verifier.verify(token)
    assert len(issuer.verifier._verified) == 3
    await issuer.verifier.verify(issued[0])
