"""No silent loss: every started call ends as one of sealed, failed, empty, and what has not is counted.

The parts that bring a call to its end are elsewhere (the idle sweep, the sealers, deliveries). This ends the
calls whose end was asked for while their writer still had audio and then died, and watches over the rest.
"""

from __future__ import annotations

import asyncio

from otokura.ingest.ending import end
from otokura.ingest.instruments import OLDEST_UNSETTLED, UNSETTLED_CALLS
from otokura.ingest.models import CallState
from otokura.ingest.repository import next_to_end, unsettled
from otokura.ingest.state import State
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger

log = get_logger(__name__)

LOOK_SECONDS = 1.0


async def reconcile(state: State) -> None:
    """End what waits for its end, and count what has none, without end."""
    while True:
        try:
            while await end_one_asked(state):
                continue
            await count_unsettled(state)
        except Unavailable as away:
            log.warning("reconciling.postponed", reason=away.code)
        await asyncio.sleep(LOOK_SECONDS)


async def end_one_asked(state: State) -> bool:
    """End a call whose end was asked for and whose writer is gone, if there is one."""
    async with state.database.session() as session:
        call = await next_to_end(session)
        if call is None:
            return False
        await end(session, call)
    log.info("call.ended-as-asked", call_id=str(call.id))
    state.to_seal.set()
    return True


async def count_unsettled(state: State) -> None:
    """Set the metrics of calls that have no final state."""
    async with state.database.reading() as connection:
        found = {row.state: row for row in await unsettled(connection)}
    for status in (CallState.LIVE, CallState.SEALING):
        row = found.get(status)
        UNSETTLED_CALLS.labels(status.value).set(row.calls if row else 0)
    ages = [row.age.total_seconds() for row in found.values()]
    OLDEST_UNSETTLED.set(max(0.0, *ages) if ages else 0)
