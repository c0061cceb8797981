"""What runs beside the requests: ending idle calls, and removing what settled calls leave behind."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

from otokura.ingest.ending import end
from otokura.ingest.models import Call, CallState
from otokura.ingest.objects import recordings_prefix, segments_prefix
from otokura.ingest.repository import mark_cleaned, next_idle, uncleaned
from otokura.ingest.state import State
from otokura.ingest.uploads.parts import uploads_prefix
from otokura.ingest.uploads.upkeep import clean_uploads
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger

log = get_logger(__name__)

RETURN_SECONDS = 60.0
IDLE_LOOK_SECONDS = 5.0
CLEAN_LOOK_SECONDS = 10.0
CLEAN_BATCH = 20


async def signal_or(signal: asyncio.Event, seconds: float) -> None:
    """Wait for the signal, at most so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await signal.wait()


async def sweep_idle(state: State) -> None:
    """End calls that their phone system forgot, or whose owner died and nobody came back, without end.

    Not at once after a start: if nobody could reach us, every phone system gets the time to come back.
    """
    await asyncio.sleep(min(RETURN_SECONDS, state.settings.call_idle_seconds))
    while True:
        try:
            while await end_one_idle(state):
                continue
        except Unavailable as away:
            log.warning("sweep.postponed", reason=away.code)
        await asyncio.sleep(min(IDLE_LOOK_SECONDS, state.settings.call_idle_seconds))


async def end_one_idle(state: State) -> bool:
    """End the call that has been idle longest, if any has been for too long."""
    async with state.database.session() as session:
        call = await next_idle(session, timedelta(seconds=state.settings.call_idle_seconds))
        if call is None:
            return False
        await end(session, call)
    log.info("call.ended-idle", call_id=str(call.id))
    state.to_seal.set()
    return True


async def clean_settled(state: State) -> None:
    """Remove temporary objects of settled calls, without end. Doing it twice does no harm."""
    while True:
        state.to_clean.clear()
        try:
            while await clean_batch(state):
                continue
            await clean_uploads(state)
        except Unavailable as away:
            log.warning("cleaning.postponed", reason=away.code)
        await signal_or(state.to_clean, CLEAN_LOOK_SECONDS)


async def clean_batch(state: State) -> bool:
    """Clean some settled calls; False when none is left."""
    async with state.database.session() as session:
        calls = await uncleaned(session, CLEAN_BATCH)
    for call in calls:
        await _clean(state, call)
    return bool(calls)


async def _clean(state: State, call: Call) -> None:
    """A failed call keeps its segments and parts: they are all there is of it."""
    keep = call.manifest["recording"]["name"] if call.manifest else None
    prefixes = [recordings_prefix(call.tenant_id, call.id)]
    if call.state != CallState.FAILED:
        prefixes += [segments_prefix(call.tenant_id, call.id), uploads_prefix(call.tenant_id, call.id)]
    bucket = state.settings.recordings_bucket
    for prefix in prefixes:
        async for item in state.store.list(bucket, prefix):
            if item.name != keep:
                await state.store.delete(bucket, item.name)
    async with state.database.session() as session:
        await mark_cleaned(session, call)
