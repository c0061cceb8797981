"""Keys are fetched when they are needed, not when somebody makes up a name, and never believed for long."""

from __future__ import annotations

import asyncio

import pytest

from oidc_support import PRIVATE, URL, Published, jwks, settings
from otokura.access.oidc.documents import Keys
from otokura.access.oidc.errors import FetchError
from otokura.access.oidc.keys import IssuerKeys
from otokura.shared.errors import Unavailable


class Issuer(Published):
    """One that can be away, slow, and at a time of its own."""

    def __init__(self) -> None:
        super().__init__(jwks(first=PRIVATE["rsa"]))
        self.now = 1000.0
        self.away = False
        self.gate: asyncio.Event | None = None
        self.book = IssuerKeys(self.keys, settings(), lambda: self.now)

    async def keys(self, issuer: str) -> Keys:
        found = await super().keys(issuer)
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise FetchError("away")
        return found

    async def knows(self, kid: str) -> bool:
        return await self.book.find(URL, kid, "RS256") is not None


async def test_keys_are_fetched_once_and_remembered() -> None:
    issuer = Issuer()
    assert [await issuer.knows("first") for _ in range(3)] == [True] * 3
    assert issuer.fetches == 1


@pytest.mark.guarantee("P11")
async def test_a_rotation_is_followed_and_the_old_key_is_gone() -> None:
    issuer = Issuer()
    assert await issuer.knows("first")
    issuer.document = jwks(second=PRIVATE["rsa"])
    issuer.now += 11
    assert await issuer.knows("second")
    assert not await issuer.knows("first")


@pytest.mark.guarantee("P11")
async def test_a_key_that_is_withdrawn_ends_without_any_new_one() -> None:
    issuer = Issuer()
    assert await issuer.knows("first")
    issuer.document = jwks()
    issuer.now += 299
    assert await issuer.knows("first")
    issuer.now += 2
    assert not await issuer.knows("first")


@pytest.mark.guarantee("P11")
async def test_names_that_are_made_up_cost_the_issuer_nothing() -> None:
    issuer = Issuer()
    assert await issuer.knows("first")
    for number in range(1000):
        assert not await issuer.knows(f"junk-{number}")
    assert issuer.fetches == 1
    issuer.now += 11
    for number in range(1000):
        assert not await issuer.knows(f"junk-{number}")
    assert issuer.fetches == 2


@pytest.mark.guarantee("P11")
async def test_whoever_comes_meanwhile_waits_for_the_same_fetch() -> None:
    issuer = Issuer()
    issuer.gate = asyncio.Event()
    asking = [asyncio.create_task(issuer.knows("first")) for _ in range(50)]
    await asyncio.sleep(0)
    issuer.gate.set()
    assert await asyncio.gather(*asking) == [True] * 50
    assert issuer.fetches == 1


@pytest.mark.guarantee("P11")
async def test_while_the_issuer_is_away_keys_are_good_for_a_bounded_time() -> None:
    issuer = Issuer()
    assert await issuer.knows("first")
    issuer.away = True
    issuer.now += 3599
    assert await issuer.knows("first")
    issuer.now += 2
    with pytest.raises(Unavailable):
        await issuer.knows("first")
    issuer.now += 11
    issuer.away = False
    assert await issuer.knows("first")


async def test_an_issuer_that_is_away_is_not_asked_by_every_token() -> None:
    issuer = Issuer()
    issuer.away = True
    for _ in range(100):
        with pytest.raises(Unavailable):
            await issuer.knows("first")
    assert issuer.fetches == 1


async def test_known_keys_are_used_while_somebody_else_waits_for_new_ones() -> None:
    issuer = Issuer()
    assert await issuer.knows("first")
    issuer.now += 301
    issuer.gate = asyncio.Event()
    waiting = asyncio.create_task(issuer.knows("first"))
    await asyncio.sleep(0)
    assert await issuer.knows("first")
    issuer.gate.set()
    assert await waiting
