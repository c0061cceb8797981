"""Observations wait for the database, in order and within bounds; nobody who reads waits for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import pytest

from otokura.access.signals import watch as watching
from otokura.access.signals.service import Observation
from otokura.access.signals.watch import Watch
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable


class Fickle:
    """A database that is away until it is told otherwise."""

    def __init__(self) -> None:
        self.away = True

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        if self.away:
            raise Unavailable("The database cannot be reached.")
        yield None


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Observation]:
    """What was counted."""
    seen: list[Observation] = []

    async def count(_session: Any, batch: list[Observation]) -> list[Any]:
        seen.extend(batch)
        return []

    monkeypatch.setattr(watching, "count", count)
    return seen


def seen(number: int) -> Observation:
    return Observation(UUID(int=number), UUID(int=1), None, denied=True)


@pytest.mark.guarantee("R30")
async def test_what_cannot_be_counted_now_is_counted_later_and_once(counted: list[Observation]) -> None:
    database = Fickle()
    watch = Watch(cast("Database", database))
    watch.add(seen(1))
    with pytest.raises(Unavailable):
        await watch.flush()
    watch.add(seen(2))
    database.away = False
    await watch.flush()
    await watch.flush()
    assert counted == [seen(1), seen(2)]


async def test_what_waits_is_bounded_and_what_is_lost_is_told(
    counted: list[Observation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_WAITING", 3)
    database = Fickle()
    watch = Watch(cast("Database", database))
    before = watching.UNCOUNTED._value.get()
    for number in range(5):
        watch.add(seen(number))
    assert watching.UNCOUNTED._value.get() - before == 2
    await watch.drain()
    assert watching.UNCOUNTED._value.get() - before == 5
    database.away = False
    await watch.drain()
    assert counted == [seen(0), seen(1), seen(2)]
