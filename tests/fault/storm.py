"""The storm: calls under way and readers reading while one part after another is killed."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fault.history import History
from fault.phones import Phone, speech
from fault.readers import Reader, Sealed
from whole import PATIENCE, Whole

TARGETS = ("ingest", "transcribe", "access", "audit", "kafka", "s3")
KILLS = 20
CALLS_AT_ONCE = 3
READERS = 2
PAUSES = (1.0, 6.0)
"""Seconds between two kills: least and most."""

CALL_SECONDS = (14.0, 26.0)
"""Less than Whisper hears at once (30 s), for that costs it as much."""


@dataclass(frozen=True)
class Kill:
    """`kill -9` of a part, so many seconds after the one before."""

    after: float
    target: str


def schedule(seed: int) -> list[Kill]:
    """The kills of a seed: every target as often as every other, as far as that divides, in any order."""
    chosen = random.Random(seed)
    targets = [*TARGETS * (KILLS // len(TARGETS)), *chosen.sample(TARGETS, KILLS % len(TARGETS))]
    chosen.shuffle(targets)
    return [Kill(chosen.uniform(*PAUSES), target) for target in targets]


class Storm:
    """One run.

    Args:
        whole: the system.
        seed: of the kills, of what is said, and of what is read.
    """

    def __init__(self, whole: Whole, seed: int) -> None:
        self.history = History()
        self.sealed: list[Sealed] = []
        self.last_kill = 0.0
        self._whole = whole
        self._seed = seed
        self._random = random.Random(seed)
        self._calls = 0
        self._over = False
        self._token = ""

    async def run(self) -> History:
        """Kills, waits until every call is transcribed, and reads all of it once more."""
        url = self._whole.stack.url("access")
        self._token = self._whole.credentials.token_of("supervisor", url).token()
        async with asyncio.timeout(PATIENCE), self._readers(url) as reader:
            async with asyncio.TaskGroup() as calls:
                for _ in range(CALLS_AT_ONCE):
                    calls.create_task(self._line(calls))
                await self._strike()
                self._over = True
            self._note("every call is settled")
            for call in self.sealed:
                await reader.transcribed(call.call_id)
                self.history.content[call.call_id] = await reader.content(call)
            self._note("every call is transcribed and read")
        return self.history

    @asynccontextmanager
    async def _readers(self, url: str) -> AsyncIterator[Reader]:
        """Readers at work, and one that is not."""
        answers, reads = self.history.answers, self.history.reads
        readers = [Reader(url, self._token, answers, reads) for _ in range(READERS + 1)]
        try:
            async with asyncio.TaskGroup() as work:
                tasks = [
                    work.create_task(reader.run(self.sealed, self._seed + number))
                    for number, reader in enumerate(readers[1:])
                ]
                yield readers[0]
                for task in tasks:
                    task.cancel()
        finally:
            for reader in readers:
                await reader.close()

    async def _line(self, calls: asyncio.TaskGroup) -> None:
        """One call after another, until the storm is over."""
        while not self._over:
            self._calls += 1
            seconds, channels = self._random.uniform(*CALL_SECONDS), self._random.choice((1, 2))
            says = speech(self._seed + self._calls, seconds, channels)
            url = self._whole.stack.url("ingest")
            phone = Phone(url, self._whole.api_key, self.history.answers, f"storm-{self._calls}", says)
            await phone.call()
            calls.create_task(self._settle(phone))

    async def _settle(self, phone: Phone) -> None:
        call = await phone.settled()
        self.history.journals.append(phone.journal)
        self._note(f"{phone.call_id} is {call['state']}")
        if call["recording"] is not None:
            size = call["recording"]["plaintext_bytes"]
            self.sealed.append(Sealed(phone.call_id, len(call["channels"]), size))

    async def _strike(self) -> None:
        for kill in schedule(self._seed):
            await asyncio.sleep(kill.after)
            # Where it is just being started again, as soon as it runs.
            while not self._whole.stack.parts[kill.target].target.program.running:  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.1)
            self._whole.stack.parts[kill.target].target.program.kill()
            self.last_kill = time.monotonic()
            self._note(f"kill -9 {kill.target}")

    def _note(self, what: str) -> None:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {what}\n")
        sys.stdout.flush()
