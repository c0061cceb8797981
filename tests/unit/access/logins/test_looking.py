"""A login that is looked at: the same work whoever is named, and few at a time."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.logins import log_in, passwords
from otokura.access.logins.hashing import Hashing
from otokura.access.logins.log_in import Attempt
from otokura.access.logins.repository import Account
from otokura.access.logins.stand_in import StandIn
from otokura.access.state import AccessState
from otokura.shared.address import Reason, ResolvedAddress
from otokura.shared.errors import TooManyRequests
from otokura.shared.events import TenantSettings
from otokura.shared.keys import LocalKeyProvider, create_keyring

PLACE = ResolvedAddress(None, "127.0.0.1", (), Reason.UNPARSABLE)
ATTEMPT = Attempt("みどり通販", "hanako", "長い合言葉は覚えやすいです", "123456", None, PLACE)


def account(password_hash: str, *, disabled: bool = False) -> Account:
    """Somebody without a second factor, whose company demands one."""
    found = SimpleNamespace(
        principal=SimpleNamespace(id=uuid4()),
        login=SimpleNamespace(
            password_hash=password_hash, reset_at=None, kek_id=None, wrapped=None, last_step=-1
        ),
        disabled=disabled,
        settings=TenantSettings(),
    )
    return cast("Account", found)


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    create_keyring(tmp_path / "keyring.json")
    return tmp_path / "keyring.json"


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Argon2 was asked to compare with."""
    asked: list[str] = []
    verify = Argon2id.verify_phc_encoded

    def watched(key: bytes, phc: str) -> None:
        asked.append(phc)
        verify(key, phc)

    monkeypatch.setattr(passwords, "Argon2id", SimpleNamespace(verify_phc_encoded=watched))
    return asked


@pytest.mark.guarantee("P3")
@pytest.mark.parametrize(
    ("who", "why"),
    [
        (None, "unknown"),
        (account(passwords.hashed("something else")), "password"),
        (account(passwords.hashed(ATTEMPT.password)), "no-second-factor"),
        (account(passwords.hashed(ATTEMPT.password), disabled=True), "disabled"),
    ],
)
async def test_whoever_is_named_one_hash_of_the_same_cost_is_made(
    who: Account | None, why: str, hashed: list[str], keyring: Path
) -> None:
    keys = LocalKeyProvider(keyring)
    state = cast("AccessState", SimpleNamespace(hashing=Hashing(), stand_in=StandIn(), keys=keys))
    assert await log_in._look_at(state, ATTEMPT, who, datetime.now(UTC)) == why
    [phc] = hashed
    assert phc.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_few_passwords_are_hashed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock, go_on = 0, 0, threading.Lock(), threading.Event()

    def slow(*_: Any) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        go_on.wait(10)
        with lock:
            running -= 1
        return False

    monkeypatch.setattr(passwords, "matches", slow)
    work = Hashing(at_once=2, from_one_network=4)

    async def hash_from(network: str) -> None:
        async with work.queue(network):
            await work.matches("x", None)

    tries = [asyncio.create_task(hash_from("203.0.113.7/32")) for _ in range(4)]
    elsewhere = asyncio.create_task(hash_from("203.0.113.8/32"))
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests):
        await hash_from("203.0.113.7/32")
    go_on.set()
    await asyncio.gather(*tries, elsewhere)
    assert most <= 2
    assert not work._waiting


def test_refusals_that_are_left_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr("otokura.access.identity.throttle.time.monotonic", lambda: clock)
    throttle, person = RefusalThrottle(), uuid4()
    assert [throttle.counted(person, "a") for _ in range(3)] == [1, 0, 0]
    assert throttle.counted(None, "a") == 1
    clock += 60
    assert [throttle.counted(person, "a") for _ in range(2)] == [3, 0]


def test_no_secret_shows_in_a_repr() -> None:
    assert ATTEMPT.password not in repr(ATTEMPT)
    assert "123456" not in repr(ATTEMPT)
