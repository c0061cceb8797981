"""Ending a call when its phone system says so: what is on its way is stored first."""

from __future__ import annotations

import asyncio

from otokura.ingest.ending import end
from otokura.ingest.gates import is_owned, wake
from otokura.ingest.models import Call, CallState
from otokura.ingest.repository import find, lock, now
from otokura.ingest.state import State

WAIT_SECONDS = 6.0
LOOK_SECONDS = 0.05


async def end_call_of(state: State, call: Call) -> Call:
    """End a live call. If its audio is still on its way when this returns, the end follows it.

    Raises:
        Unavailable: the database is away.
    """
    await state.streams.finish(call.id)
    await state.deliveries.finished(call.id, WAIT_SECONDS / 2)
    return await _end_when_stored(state, call)


async def _end_when_stored(state: State, call: Call) -> Call:
    """End the call now if nobody writes it; else ask its writer, wherever it is, and wait for it a while."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    asked = False
    while True:
        async with state.database.session() as session:
            current = await lock(session, call.id, call.tenant_id)
            if current.state != CallState.LIVE:
                return current
            if not await is_owned(session, current):
                await end(session, current)
                break
            if not asked:
                asked, current.end_asked_at = True, await now(session)
                current.version += 1
                await wake(session, call.id)
        await state.streams.look_again(call.id)
        if asyncio.get_running_loop().time() > deadline:
            return await _found(state, call)
        await asyncio.sleep(LOOK_SECONDS)
    state.to_seal.set()
    return current


async def _found(state: State, call: Call) -> Call:
    async with state.database.session() as session:
        return await find(session, call.id, call.tenant_id)
