"""How many redacted recordings are decoded at once, and for whom."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from otokura.access.reads import decoders
from otokura.access.reads.decoders import Decoders
from otokura.shared.errors import Unavailable


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "_LONGEST_WAIT_SECONDS", 0.01)


@pytest.mark.guarantee("T94")
@pytest.mark.usefixtures("impatient")
async def test_while_all_decoders_are_taken_there_is_no_other() -> None:
    """Who waits in vain is told to come back, and takes nobody's place, nor one of their own."""
    all_of_them, reader = Decoders(1), uuid4()
    async with all_of_them.one(uuid4()):
        for _ in range(2):
            with pytest.raises(Unavailable) as refused:
                async with all_of_them.one(reader):
                    raise AssertionError("two decoders, and one may run")
            assert refused.value.headers["Retry-After"]
    async with all_of_them.one(reader):
        assert all_of_them._free.locked()


@pytest.mark.guarantee("T94")
@pytest.mark.usefixtures("impatient")
async def test_one_reader_has_at_most_half_of_them() -> None:
    """However many slow connections they hold, another hears."""
    four, greedy, other = Decoders(4), uuid4(), uuid4()
    async with AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(four.one(greedy))
        for _ in range(3):
            with pytest.raises(Unavailable):
                async with four.one(greedy):
                    raise AssertionError("more than half")
        async with four.one(other), four.one(other):
            assert four._free.locked()
    async with four.one(greedy), four.one(greedy):
        assert not four._free.locked()


@pytest.mark.guarantee("T94")
async def test_who_leaps_about_waits_for_the_decoder_before() -> None:
    """A player asks for the next range while the last one still ends."""
    two, reader, heard = Decoders(2), uuid4(), asyncio.Event()

    async def hear() -> None:
        async with two.one(reader):
            heard.set()

    async with two.one(reader):
        waiting = asyncio.create_task(hear())
        await asyncio.sleep(0.05)
        assert not heard.is_set()
        async with two.one(uuid4()):
            pass
    await asyncio.wait_for(waiting, 5)
    assert heard.is_set()
    assert not two._shares
