"""The key of a replica that has just begun is known to the others; made-up ids cost next to nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from otokura.access.identity import signing
from otokura.access.identity.signing import SigningKeys, public_jwk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlmodel.ext.asyncio.session import AsyncSession

    from otokura.shared.database import Database


class Sessions:
    """A database of which nothing is asked but a session."""

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        yield


class Keys(SigningKeys):
    """Signing keys whose table is a list."""

    def __init__(self) -> None:
        super().__init__(cast("Database", Sessions()), Ed25519PrivateKey.generate(), "issuer")
        self.table = [self._jwk]
        self.looks = 0

    async def jwks(self, session: AsyncSession) -> dict[str, Any]:
        del session
        self.looks += 1
        return {"keys": list(self.table)}


@pytest.mark.guarantee("P6")
async def test_the_key_of_a_replica_that_began_a_moment_ago_is_found() -> None:
    keys = Keys()
    assert await keys.lookup(keys.kid) is not None
    other = public_jwk(Ed25519PrivateKey.generate().public_key())
    keys.table.append(other)
    assert await keys.lookup(other["kid"]) is not None


async def test_of_many_who_make_ids_up_all_wait_for_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "_REFRESH_SECONDS", 0.05)
    keys = Keys()
    assert await keys.lookup(keys.kid) is not None
    assert await asyncio.gather(*(keys.lookup(f"made-up-{n}") for n in range(100))) == [None] * 100
    assert keys.looks == 2
    assert await keys.lookup(keys.kid) is not None
    assert keys.looks == 2
