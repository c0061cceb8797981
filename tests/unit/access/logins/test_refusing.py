"""Refusals tell nothing: a login that is there and one that is not cost the same, and fail alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from otokura.access.errors import LoginRefused
from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.logins import log_in, passwords, repository, tries
from otokura.access.logins.hashing import Hashing
from otokura.access.logins.log_in import Attempt
from otokura.access.logins.repository import Account
from otokura.access.logins.stand_in import StandIn
from otokura.access.logins.tries import Try
from otokura.access.state import AccessState
from otokura.shared.address import Reason, ResolvedAddress
from otokura.shared.audit_entries import AuditDraft
from otokura.shared.errors import IntegrityError, NotFound, Unavailable
from otokura.shared.events import TenantSettings
from otokura.shared.keys import KeyContext, KeyUse, WrappedDek

PLACE = ResolvedAddress(None, "127.0.0.1", (), Reason.UNPARSABLE)
ATTEMPT = Attempt("みどり通販", "hanako", "a wrong sentence altogether", "123456", None, PLACE)
KEPT = passwords.hashed("長い合言葉は覚えやすいです")


class Log:
    """Counts who waits for the broker, which is away when told so; an entry waits on there, or not at all."""

    def __init__(self) -> None:
        self.waits = 0
        self.entries: list[AuditDraft] = []
        self.queued: set[UUID] = set()
        self.away: str | None = None

    async def write(self, draft: AuditDraft, *, entry_id: UUID | None = None) -> UUID:
        self.waits += 1
        assert entry_id is not None
        if self.away == "queued":
            self.queued.add(entry_id)
        if self.away is not None:
            raise Unavailable("away")
        self.entries.append(draft)
        return entry_id

    async def reach(self) -> None:
        self.waits += 1
        if self.away is not None:
            raise Unavailable("away")

    def holds(self, entry_id: UUID) -> bool:
        return entry_id in self.queued


class Keys:
    """A key provider that counts; it is away, or has lost a person's key, when told so."""

    def __init__(self) -> None:
        self.wraps, self.unwraps, self.away = 0, 0, False
        self.lost: set[bytes] = set()

    async def wrap(self, dek: bytes, context: KeyContext) -> WrappedDek:
        del context
        self._reach()
        self.wraps += 1
        return WrappedDek("kek", dek)

    async def unwrap(self, wrapped: WrappedDek, context: KeyContext, use: KeyUse, reference: str) -> bytes:
        del context, reference
        assert use is KeyUse.LOG_IN
        self._reach()
        self.unwraps += 1
        if wrapped.wrapped in self.lost:
            raise NotFound("lost")
        return wrapped.wrapped

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("away")


def account(*, factor: bool) -> Account:
    found = SimpleNamespace(
        principal=SimpleNamespace(id=uuid4(), name="花子"),
        login=SimpleNamespace(
            tenant_id=uuid4(),
            principal_id=uuid4(),
            password_hash=KEPT,
            reset_at=None,
            kek_id="kek" if factor else None,
            wrapped=b"k" * 32 if factor else None,
            last_step=-1,
        ),
        disabled=False,
        settings=TenantSettings(),
    )
    return cast("Account", found)


class Door:
    """Logs people in whom it is told of; everybody else is unknown."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, known: dict[str, Account]) -> None:
        self.log, self.keys, self.throttle = Log(), Keys(), RefusalThrottle()

        async def account(_: object, company: str, login: str) -> Account | None:
            del company
            return known.get(login)

        async def begin(*_: object) -> Try:
            return Try(datetime.now(UTC), "", "")

        @asynccontextmanager
        async def session() -> AsyncIterator[None]:
            yield None

        monkeypatch.setattr(repository, "account", account)
        monkeypatch.setattr(tries, "begin", begin)
        state = SimpleNamespace(
            database=SimpleNamespace(session=session),
            hashing=Hashing(),
            stand_in=StandIn(),
            keys=self.keys,
            audit=self.log,
        )
        self._state = cast("AccessState", state)

    async def tell(self, login: str, **changes: Any) -> tuple[str, int, int]:
        """What is answered to a try, and for how much it waited: the broker, and the key provider."""
        before = self.log.waits, self.keys.unwraps
        try:
            await log_in.log_in(self._state, replace(ATTEMPT, login=login, **changes), self.throttle)
        except (LoginRefused, Unavailable, IntegrityError) as error:
            answer = f"{error.status} {error.code}"
        else:
            answer = "in"
        return answer, self.log.waits - before[0], self.keys.unwraps - before[1]


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    return Door(monkeypatch, {"hanako": account(factor=True), "rokuro": account(factor=False)})


@pytest.mark.guarantee("P3")
async def test_known_and_unknown_logins_wait_for_as_much(door: Door) -> None:
    """After one try by a made-up name nothing more is written of such names; they wait all the same."""
    told = [await door.tell(login) for login in ("x", "y", "hanako", "hanako", "rokuro", "rokuro", "z")]
    assert set(told) == {("401 login-refused", 1, 1)}
    assert [entry.reader is None for entry in door.log.entries] == [True, False, False]


@pytest.mark.guarantee("P3")
@pytest.mark.parametrize("away", ["queued", "full"])
async def test_known_and_unknown_logins_fail_alike_without_the_log(door: Door, away: str) -> None:
    await door.tell("x")
    door.log.away = away
    told = [await door.tell(login) for login in ("y", "hanako", "hanako", "rokuro", "z")]
    assert set(told) == {("503 unavailable", 1, 1)}


@pytest.mark.guarantee("P3")
async def test_known_and_unknown_logins_fail_alike_without_the_key_provider(door: Door) -> None:
    await door.tell("x")
    door.keys.away = True
    told = [await door.tell(login) for login in ("y", "hanako", "rokuro")]
    assert set(told) == {("503 unavailable", 0, 0)}


@pytest.mark.guarantee("P3")
async def test_a_key_that_is_lost_tells_nobody_that_there_is_such_a_login(door: Door) -> None:
    """Nor does the right password get in without it; the log says why."""
    await door.tell("x")
    door.keys.lost.add(b"k" * 32)
    told = [await door.tell(login) for login in ("y", "hanako")]
    told.append(await door.tell("hanako", password="長い合言葉は覚えやすいです"))
    assert set(told) == {("401 login-refused", 1, 1)}
    assert [entry.detail["why"] for entry in door.log.entries] == ["unknown", "password", "key"]


async def test_what_stands_in_for_a_key_outlives_a_rotation(door: Door) -> None:
    await door.tell("x")
    assert (door.keys.wraps, door.keys.unwraps) == (1, 1)
    [wrapped] = [door._state.stand_in._wrapped]
    assert wrapped is not None
    door.keys.lost.add(wrapped.wrapped)
    assert (await door.tell("y"))[0] == "401 login-refused"
    assert (await door.tell("z"))[2] == 1
    assert door.keys.wraps == 2


@pytest.mark.guarantee("R7")
@pytest.mark.parametrize(("away", "counts"), [("queued", [1, 3]), ("full", [3, 1])])
async def test_nothing_is_refused_until_its_entry_is_in_the_log(
    monkeypatch: pytest.MonkeyPatch, away: str, counts: list[int]
) -> None:
    """An entry that waits for the broker stands for itself; one that was never taken is made up for."""
    clock = 1000.0
    monkeypatch.setattr("otokura.access.identity.throttle.time.monotonic", lambda: clock)
    log, throttle, person, drafts = Log(), RefusalThrottle(), uuid4(), list[int]()

    def draft(count: int) -> AuditDraft:
        drafts.append(count)
        return cast("AuditDraft", SimpleNamespace())

    log.away = away
    for _ in range(2):
        with pytest.raises(Unavailable):
            await throttle.write(log, person, "here", draft)
    log.away = None
    await throttle.write(log, person, "here", draft)
    clock += 60
    await throttle.write(log, person, "here", draft)
    assert (drafts[0], drafts[-2:]) == (1, counts)
    assert log.waits == 4


async def test_whoever_gives_up_waiting_takes_no_entry_back(monkeypatch: pytest.MonkeyPatch) -> None:
    log, throttle = Log(), RefusalThrottle()

    async def write(draft: AuditDraft, *, entry_id: UUID | None = None) -> UUID:
        del draft
        assert entry_id is not None
        log.queued.add(entry_id)
        await asyncio.sleep(60)
        return entry_id

    monkeypatch.setattr(log, "write", write)
    trying = asyncio.create_task(throttle.write(log, None, "here", lambda _: cast("AuditDraft", None)))
    await asyncio.sleep(0)
    trying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trying
    assert throttle.counted(None, "here") == 0
