"""Waiting for delivery: as long as the store gets on with it, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from otokura.ingest.delivery import Delivery
from otokura.ingest.errors import NotStored
from otokura.ingest.outlet import Item, Outlet
from otokura.ingest.repository import Claim
from otokura.ingest.spool import Label, Spool
from otokura.shared.database import Database
from otokura.shared.ids import uuid7
from otokura.shared.objects import ObjectStore

RATE, SECONDS, PATIENCE = 8000, 24, 4.0


@dataclass(frozen=True)
class SlowOutlet(Outlet):
    """Takes an eighth of a client's patience for each segment, and for ever from one on."""

    stops_at: int = SECONDS

    async def store_object(self, item: Item) -> None:
        """Nothing to store."""

    async def accept(self, item: Item, claim: Claim, gate: int) -> None:  # noqa: ARG002 - as its base has it
        await asyncio.sleep(PATIENCE / 8)
        if item.label.seq >= self.stops_at:
            await asyncio.Event().wait()


@asynccontextmanager
async def under_way(folder: Path, stops_at: int = SECONDS) -> AsyncIterator[Delivery]:
    """That many seconds of a call on their way."""
    spool = Spool(folder, 10_000_000)
    nothing = (cast("Database", None), cast("ObjectStore", None))
    outlet = SlowOutlet(*nothing, "bucket", spool, 30, asyncio.Event(), stops_at)
    label = Label(
        tenant_id=uuid7(),
        call_id=uuid7(),
        epoch=1,
        seq=0,
        start_sample=0,
        samples=RATE,
        rate=RATE,
        encoding="pcm_s16le",
    )
    delivery = Delivery(outlet, Claim(label.call_id, 1), 1, 0, 0)
    running = asyncio.create_task(delivery.run())
    try:
        for seq in range(SECONDS):
            where = {"seq": seq, "start_sample": seq * RATE}
            await delivery.add(label.model_copy(update=where), b"sealed", PATIENCE)
        yield delivery
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        spool.close()


@pytest.mark.slow
async def test_who_waits_for_a_slow_store_waits_until_all_is_accepted(tmp_path: Path) -> None:
    """Three times as long as a client's patience, in steps that each are shorter."""
    async with under_way(tmp_path) as delivery:
        await delivery.drained(PATIENCE)
        assert (delivery.accepted, delivery.pending) == (SECONDS * RATE, False)


async def test_who_waits_for_a_store_that_stopped_is_told(tmp_path: Path) -> None:
    async with under_way(tmp_path, stops_at=2) as delivery:
        with pytest.raises(NotStored):
            await delivery.drained(PATIENCE)
        assert delivery.accepted == 2 * RATE
