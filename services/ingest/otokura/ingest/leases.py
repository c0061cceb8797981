"""Keeping a lease while long work runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from otokura.ingest.errors import Fenced
from otokura.ingest.repository import Claim, renew
from otokura.ingest.state import State
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger

log = get_logger(__name__)


@asynccontextmanager
async def held(state: State, claim: Claim) -> AsyncGenerator[None]:
    """Renew the claim's lease three times in its length while the block runs.

    A lease that is lost does not stop the block: the compare-and-set that ends every piece of work refuses
    what a newer epoch has taken over, so nothing wrong can come of finishing.
    """
    renewing = asyncio.create_task(_renew(state, claim), name=f"lease-{claim.call_id}")
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _renew(state: State, claim: Claim) -> None:
    while True:
        await asyncio.sleep(state.settings.lease_seconds / 3)
        try:
            async with state.database.session() as session:
                await renew(session, claim, state.settings.lease)
        except Unavailable:
            log.warning("lease.not-renewed", call_id=str(claim.call_id))
        except Fenced:
            log.warning("lease.lost", call_id=str(claim.call_id), epoch=claim.epoch)
            return
