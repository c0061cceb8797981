"""Delivering a call's segments in order: the object first, then its row; only then they count.

A crash between the two leaves an object that no row names, which cleaning removes; it never leaves a row
without its object. While the store or the database is away, what waits goes to the local spool and is
delivered from there when they are back: by this process, or by the next that starts on its folder.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from otokura.ingest.ending import end
from otokura.ingest.errors import CallNotFound, GateChanged, NotStored
from otokura.ingest.instruments import ACCEPT_SECONDS, ACCEPTED_SECONDS, REFUSED_SEGMENTS, STALLED_CALLS
from otokura.ingest.models import CallState
from otokura.ingest.outlet import Item, Outlet
from otokura.ingest.repository import Claim, give_up, lock_claimed
from otokura.ingest.spool import Label, SpoolFull
from otokura.shared.errors import Conflict, OtokuraError, Unavailable
from otokura.shared.logs import get_logger

log = get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 2.0
GATE_PAUSE_SECONDS = 0.05
IN_MEMORY = 3
"""Items that may wait in memory while all goes well; what bounds a stream's memory."""


class Delivery:
    """What one claim on a call has accepted, and what is still on its way.

    Args:
        outlet: where to.
        claim: the right to write.
        channels: of the call.
        gate: the newest gate that the writer has heard of.
        accepted: samples per channel that were accepted before.
    """

    def __init__(self, outlet: Outlet, claim: Claim, channels: int, gate: int, accepted: int) -> None:
        self.claim = claim
        self.gate = gate
        self.accepted = accepted
        self.error: OtokuraError | None = None
        self.on_change: Callable[[], None] = _nothing
        """Called when more is accepted or spooled, and when delivery failed for good."""
        self.on_gate: Callable[[], None] | None = None
        """Called when the gate has changed; it leads to `gate` being set. None: nobody records any more."""
        self._outlet = outlet
        self.channels = channels
        self._items: deque[Item] = deque()
        self._news = asyncio.Event()
        self._stalled = False
        self._detached = False

    @property
    def pending(self) -> bool:
        """Whether something is still on its way."""
        return bool(self._items)

    @property
    def stalled(self) -> bool:
        """Whether the store or the database could not be reached lately."""
        return self._stalled

    @property
    def spooled_samples(self) -> int:
        """Samples per channel that lie in the spool."""
        return sum(item.label.samples for item in self._items if item.spooled)

    async def add(self, label: Label, sealed: bytes, patience: float) -> None:
        """Take the next item. Items of one call are added one after the other.

        Raises:
            OtokuraError: delivery has failed for good: the claim is lost or the call over.
            NotStored: neither the store nor the spool takes it, and `patience` seconds are over.
        """
        item = Item(label, sealed, asyncio.get_running_loop().time())
        if self._stalled or len(self._items) >= IN_MEMORY:
            await self._spool_patiently(item, patience)
        if self.error is not None:
            raise self.error
        self._items.append(item)
        self._news.set()
        if item.spooled:
            self.on_change()

    async def _spool_patiently(self, item: Item, patience: float) -> None:
        deadline = asyncio.get_running_loop().time() + patience
        while self.error is None and (self._stalled or len(self._items) >= IN_MEMORY):
            try:
                return await self._spool(item)
            except SpoolFull as full:
                try:
                    async with asyncio.timeout_at(deadline):
                        await self._wait_for_news()
                except TimeoutError:
                    raise NotStored(full.detail) from None
        return None

    async def _spool(self, item: Item) -> None:
        await self._outlet.spool.write(item.label, item.sealed)
        item.sealed, item.spooled = b"", True

    def resume(self, labels: list[Label]) -> None:
        """Take what an earlier process left in the spool."""
        moment = asyncio.get_running_loop().time()
        self._items.extend(Item(label, b"", moment, spooled=True) for label in labels)
        self._detached = True
        self._news.set()

    def fill(self, label: Label) -> None:
        """Put a gap before everything that waits: what it spans died with an earlier process."""
        self._items.appendleft(Item(label, b"", asyncio.get_running_loop().time()))

    def detach(self) -> None:
        """Nobody adds any more: `run` ends when all is delivered."""
        self._detached = True
        self.on_gate = None
        self.on_change = _nothing
        self._news.set()

    async def drained(self, patience: float) -> None:
        """Wait until everything is accepted, for as long as the store gets on with it.

        Raises:
            OtokuraError: delivery has failed for good.
            NotStored: nothing was accepted for `patience` seconds.
        """
        loop = asyncio.get_running_loop()
        reached, deadline = self.accepted, loop.time() + patience
        try:
            while self._items and self.error is None:
                async with asyncio.timeout_at(deadline):
                    await self._wait_for_news()
                if self.accepted != reached:
                    reached, deadline = self.accepted, loop.time() + patience
        except TimeoutError:
            raise NotStored("Not all audio could be stored yet; what is spooled will be.") from None
        if self.error is not None:
            raise self.error

    async def _wait_for_news(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _changed(self) -> None:
        self._news.set()
        self.on_change()

    async def run(self) -> None:
        """Deliver until detached and done, or until refused."""
        try:
            while self._items or not self._detached:
                if self._items:
                    await self._deliver_patiently(self._items[0])
                    await self._outlet.forget(self._items.popleft())
                    self._changed()
                else:
                    await self._wait_for_news()
            await self._release()
        except (Conflict, CallNotFound) as refusal:
            self.error = refusal
            await self._refuse(refusal)
        finally:
            self._set_stalled(stalled=False)
            self._changed()

    async def _deliver_patiently(self, item: Item) -> None:
        pause, renewed = FIRST_PAUSE_SECONDS, asyncio.get_running_loop().time()
        while True:
            try:
                await self._deliver(item)
            except GateChanged as changed:
                await self._hear(changed.gate)
            except (Conflict, CallNotFound):
                raise
            except Exception as away:  # noqa: BLE001 - whatever goes wrong, accepted order and audio are kept
                self._note(away)
                await self.spill()
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                if asyncio.get_running_loop().time() - renewed > self._outlet.lease_seconds / 3:
                    renewed = asyncio.get_running_loop().time()
                    await self._outlet.renew(self.claim)
            else:
                self._set_stalled(stalled=False)
                return

    async def _deliver(self, item: Item) -> None:
        if item.label.ends:
            return await self._conclude()
        await self._outlet.store_object(item)
        await self._outlet.accept(item, self.claim, self.gate)
        self.accepted = item.label.start_sample + item.label.samples
        if item.label.gap is None:
            ACCEPT_SECONDS.observe(asyncio.get_running_loop().time() - item.cut_at)
            ACCEPTED_SECONDS.inc(item.label.samples * self.channels / item.label.rate)
        return None

    async def _conclude(self) -> None:
        async with self._outlet.database.session() as session:
            await end(session, await lock_claimed(session, self.claim, CallState.LIVE))
        self._outlet.ended.set()

    async def _hear(self, gate: int) -> None:
        if self.on_gate is None:
            self.gate = gate
            return
        self.on_gate()
        await asyncio.sleep(GATE_PAUSE_SECONDS)

    async def spill(self) -> None:
        """Bring to the disk what waits in memory, in order; what does not fit stays in memory."""
        self._set_stalled(stalled=True)
        for item in list(self._items):
            if not item.spooled:
                try:
                    await self._spool(item)
                except (SpoolFull, OSError) as full:
                    log.warning("spool.refused", call_id=str(self.claim.call_id), reason=type(full).__name__)
                    break
        self._changed()

    def _note(self, away: Exception) -> None:
        if not isinstance(away, Unavailable):
            log.error("delivery.failed", call_id=str(self.claim.call_id), exc_info=away)
        elif not self._stalled:
            log.warning("delivery.stalled", call_id=str(self.claim.call_id), reason=away.code)

    async def _refuse(self, refusal: OtokuraError) -> None:
        """Late segments are refused and reported; their objects are nobody's."""
        while self._items:
            item = self._items.popleft()
            if not item.label.ends:
                REFUSED_SEGMENTS.labels(refusal.code).inc()
                about = {"seq": item.label.seq, "samples": item.label.samples, "reason": refusal.code}
                log.warning("segment.refused", call_id=str(self.claim.call_id), **about)
            await self._outlet.discard(item)

    async def _release(self) -> None:
        """Let others see at once that nobody writes this call now."""
        try:
            async with self._outlet.database.reading() as connection:
                await give_up(connection, self.claim)
        except Unavailable:
            log.warning("lease.not-given-up", call_id=str(self.claim.call_id))

    def _set_stalled(self, *, stalled: bool) -> None:
        STALLED_CALLS.inc(int(stalled) - int(self._stalled))
        self._stalled = stalled


def _nothing() -> None:
    """Nobody listens."""
