"""The deliveries of this process: one for each claim that it holds, also after its connection is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import groupby
from typing import Any
from uuid import UUID

from otokura.ingest.accepting import reached
from otokura.ingest.delivery import FIRST_PAUSE_SECONDS, Delivery
from otokura.ingest.outlet import Outlet
from otokura.ingest.repository import Claim
from otokura.ingest.spool import Label
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger

log = get_logger(__name__)

CLOSE_SECONDS = 10.0


class Deliveries:
    """Starts deliveries, finds them by call, and brings the spool of an earlier process to its end."""

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self._by_call: dict[UUID, Delivery] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    @property
    def stalled(self) -> bool:
        """Whether audio waits because the store or the database is away."""
        return any(delivery.stalled for delivery in self._by_call.values())

    def of(self, call_id: UUID) -> Delivery | None:
        """The call's newest delivery, if something may still be on its way."""
        return self._by_call.get(call_id)

    def begin(self, claim: Claim, channels: int, gate: int, accepted: int) -> Delivery:
        """A delivery for a new claim."""
        delivery = Delivery(self.outlet, claim, channels, gate, accepted)
        self._start(delivery, delivery.run())
        return delivery

    def recover(self) -> None:
        """Deliver what an earlier process left in the spool, in the background."""
        for (call_id, epoch), labels in groupby(self.outlet.spool.labels(), _claim_of):
            left = list(labels)
            log.info("spool.recovering", call_id=str(call_id), items=len(left))
            delivery = Delivery(self.outlet, Claim(call_id, epoch), 1, 0, left[0].start_sample)
            delivery.resume(left)
            self._start(delivery, self._recover(delivery, left))

    async def _recover(self, delivery: Delivery, labels: list[Label]) -> None:
        while True:
            try:
                await self._fit(delivery, labels)
            except Unavailable:
                await asyncio.sleep(FIRST_PAUSE_SECONDS)
            else:
                return await delivery.run()

    async def _fit(self, delivery: Delivery, labels: list[Label]) -> None:
        """Begin where the database stands: skip what was accepted, and tell what died in memory as lost."""
        async with self.outlet.database.reading() as connection:
            row = await reached(connection, delivery.claim.call_id)
        first = next((one for one in labels if not one.ends), None)
        if row is None or first is None:
            return
        delivery.channels, delivery.accepted = row.channels, row.samples
        hole = first.start_sample - row.samples
        if hole > 0:
            place = {"seq": first.seq - 1, "start_sample": row.samples, "samples": hole}
            delivery.fill(first.model_copy(update={**place, "gap": "lost", "absent": [], "drift": None}))

    def _start(self, delivery: Delivery, work: Coroutine[Any, Any, None]) -> None:
        call_id = delivery.claim.call_id
        self._by_call[call_id] = delivery
        task = asyncio.create_task(work, name=f"delivery-{call_id}")
        self._tasks[call_id] = task
        self._running.add(task)
        task.add_done_callback(lambda done: self._ended(delivery, done))

    def _ended(self, delivery: Delivery, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._by_call.get(delivery.claim.call_id) is delivery:
            del self._by_call[delivery.claim.call_id], self._tasks[delivery.claim.call_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("delivery.died", call_id=str(delivery.claim.call_id), exc_info=error)

    async def finished(self, call_id: UUID, patience: float) -> None:
        """Wait until nothing of the call is on its way here, at most so many seconds."""
        task = self._tasks.get(call_id)
        if task is not None:
            await asyncio.wait([task], timeout=patience)

    async def close(self) -> None:
        """Let what is on its way arrive, for some seconds; what then remains is brought to the spool."""
        for delivery in list(self._by_call.values()):
            delivery.detach()
        if self._running:
            await asyncio.wait(self._running, timeout=CLOSE_SECONDS)
        for delivery in list(self._by_call.values()):
            await delivery.spill()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


def _claim_of(label: Label) -> tuple[UUID, int]:
    return label.call_id, label.epoch
