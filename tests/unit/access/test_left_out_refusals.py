"""Refusals that became no entry at once: they are in one when their minute is over."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from messaging import eventually
from otokura.access.identity import throttle as module
from otokura.access.identity.throttle import RefusalThrottle
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.errors import Unavailable

CLIENT = uuid4()


class Log:
    """Keeps for how many refusals each entry stands; while it is away it takes none."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.away = False

    async def write(self, draft: AuditDraft, *, entry_id: UUID | None = None) -> UUID:
        await self.reach()
        self.counts.append(draft.detail["count"])
        return entry_id or uuid4()

    async def reach(self) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("The log is away.")

    def holds(self, entry_id: UUID) -> bool:
        del entry_id
        return False


def draft(count: int) -> AuditDraft:
    return AuditDraft(action=Action.TOKEN_DENIED, detail={"count": count})


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def throttle(log: Log) -> RefusalThrottle:
    """One that has written one refusal, and left out four."""
    found = RefusalThrottle()
    for _ in range(5):
        await found.write(log, CLIENT, "here", draft)
    assert log.counts == [1]
    return found


@pytest.mark.guarantee("L11")
async def test_what_is_left_of_a_minute_is_one_entry_when_it_is_over(
    throttle: RefusalThrottle, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    running = asyncio.create_task(throttle.run(log))
    await asyncio.sleep(0.05)
    assert log.counts == [1]
    monkeypatch.setattr(module, "_QUIET_SECONDS", 0.0)
    await eventually(lambda: log.counts == [1, 4] and not throttle._written)
    running.cancel()
    await asyncio.wait({running})
    assert log.counts == [1, 4]
    assert not throttle._written, "nobody is remembered for ever"


@pytest.mark.guarantee("L11")
async def test_what_cannot_be_written_is_in_a_later_entry(throttle: RefusalThrottle, log: Log) -> None:
    log.away = True
    await throttle.write_rest(log)
    log.away = False
    await throttle.write(log, CLIENT, "here", draft)
    await throttle.write_rest(log)
    assert log.counts == [1, 5]


async def test_of_too_many_places_at_once_it_is_counted_what_no_entry_stands_for(
    throttle: RefusalThrottle, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_REMEMBERED", 1)
    before = module.UNWRITTEN._value.get()
    await throttle.write(log, CLIENT, "there", draft)
    assert module.UNWRITTEN._value.get() - before == 4
