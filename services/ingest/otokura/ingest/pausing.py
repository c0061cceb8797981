"""Pausing a call's recording, and going on: while a card number is said, nothing is recorded.

The change counts when the process that writes the call's audio has cut it: only then is it confirmed. A
writer that has not heard of the newest change gets no audio accepted, so none slips through.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.errors import PauseNotConfirmed
from otokura.ingest.gates import change_gate, is_owned
from otokura.ingest.models import Call
from otokura.ingest.repository import find, lock
from otokura.ingest.service import check_live
from otokura.ingest.state import State

CONFIRM_SECONDS = 6.0
LOOK_SECONDS = 0.02


async def set_paused(state: State, tenant_id: UUID, call_id: UUID, *, paused: bool) -> Call:
    """Pause the recording, or go on. Repeating it changes nothing.

    Raises:
        CallNotFound, CallClosed: there is nothing to pause.
        PauseNotConfirmed: the change is noted, and the writer has not confirmed it in time.
    """
    async with state.database.session() as session:
        call = await lock(session, call_id, tenant_id)
        check_live(call)
        if call.paused != paused:
            call.paused = paused
            await change_gate(session, call)
    return await confirmed(state, call)


async def confirmed(state: State, call: Call) -> Call:
    """The call, once its writer has heard of what may be recorded now.

    Raises:
        PauseNotConfirmed: it has not in time.
    """
    await state.streams.look_again(call.id)
    deadline = asyncio.get_running_loop().time() + CONFIRM_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        async with state.database.session() as session:
            current = await find(session, call.id, call.tenant_id)
            if await _heard(session, current, call.gate):
                return current
        await asyncio.sleep(LOOK_SECONDS)
    raise PauseNotConfirmed


async def _heard(session: AsyncSession, call: Call, gate: int) -> bool:
    return call.gate_heard >= gate or not await is_owned(session, call)
