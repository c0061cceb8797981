"""A stream begins: the call is found or started, taken for this connection, and its audio let in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import func
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.audio_format import StreamFormat
from otokura.ingest.call_keys import CallKey
from otokura.ingest.delivery import Delivery
from otokura.ingest.dependencies import Caller
from otokura.ingest.errors import NotStored
from otokura.ingest.intake import Intake
from otokura.ingest.live import Live
from otokura.ingest.live_chunks import LiveTap
from otokura.ingest.models import Call
from otokura.ingest.repository import Claim, find, live_call_of, lock, now, take
from otokura.ingest.service import check_open, check_stream
from otokura.ingest.starting import start
from otokura.ingest.state import State
from otokura.ingest.views import StartCall
from otokura.shared.errors import OtokuraError
from otokura.shared.logs import get_logger

log = get_logger(__name__)

START_LOCK = 0x6F746F6B
"""First half of the advisory lock ("otok") under which one external id gets one live call."""


async def find_or_start(state: State, caller: Caller, asked: StartCall) -> UUID:
    """The live call of this client with this external id, else a new one: so a reconnect continues its call.

    Raises:
        UnknownPurpose: a purpose that the tenant did not disclose.
        Unavailable: the database, the store or the key provider is away.
    """
    settings = await state.tenant_settings(caller.tenant_id)
    async with state.limits.turn(caller.client_id), state.database.session() as session:
        await _one_at_a_time(session, caller, asked.external_id)
        call = await live_call_of(session, caller.client_id, asked.external_id)
        if call is None:
            call = await start(session, state, caller, asked, settings)
        return call.id


async def _one_at_a_time(session: AsyncSession, caller: Caller, external_id: str) -> None:
    name = func.hashtext(f"{caller.client_id}/{external_id}")
    await session.exec(select(func.pg_advisory_xact_lock(START_LOCK, name)))


@asynccontextmanager
async def open_live(
    state: State,
    caller: Caller,
    call_id: UUID,
    fmt: StreamFormat,
    *,
    replays: bool = False,
    on_progress: Callable[[], None] | None = None,
) -> AsyncGenerator[Live]:
    """Take the call for this connection: an older one is fenced from here on.

    Args:
        state: the process's connections.
        caller: whose call it must be.
        call_id: the call.
        fmt: of the samples.
        replays: the client sends again what was not accepted. It is refused where a notice is missing, while
            one that cannot wait is let in and its audio withheld. Of one that cannot replay, the time since
            the call's last audio becomes a gap.
        on_progress: called when more is accepted or spooled.

    Raises:
        LimitReached: the client has opened too many streams.
        OtokuraError: why this call cannot be streamed so.
    """
    async with state.limits.stream(caller.client_id) as counted:
        if not replays:
            await _let_older_audio_in(state, caller, call_id)
        call, claim, key, gap = await _take(state, caller, call_id, fmt, replays=replays)
        delivery = state.deliveries.begin(claim, fmt.channels, call.gate, call.samples)
        try:
            tenant = await state.tenant_settings(caller.tenant_id)
            outlet = state.deliveries.outlet
            tap = LiveTap(state.live_chunks, call, claim.epoch, key, fmt) if tenant.live_transcripts else None
            both = (state.settings, tenant)
            intake = Intake(call, delivery, outlet, key, fmt, both, replays=replays, tap=tap)
            intake.counted = counted
            live = Live(intake, state.settings.stream_silence_seconds)
            _attend(state, live, delivery, on_progress)
            with state.streams.opened(call_id, live):
                if gap:
                    await live.gap(gap, "lost")
                try:
                    yield live
                finally:
                    await _keep(live)
        finally:
            delivery.detach()


def _attend(state: State, live: Live, delivery: Delivery, on_progress: Callable[[], None] | None) -> None:
    """Let the stream hear of its delivery."""

    def changed() -> None:
        live.delivered()
        if on_progress is not None:
            on_progress()

    delivery.on_change = changed
    delivery.on_gate = lambda: state.streams.look_again_soon(live.call_id)


async def _keep(live: Live) -> None:
    """However a connection ends: what it sent before is good audio."""
    try:
        await live.store()
    except OtokuraError as error:
        log.warning("stream.held-audio-refused", call_id=str(live.call_id), reason=error.code)


async def _let_older_audio_in(state: State, caller: Caller, call_id: UUID) -> None:
    """Of a client that cannot send it again, what an earlier connection left on the way is accepted first."""
    async with state.database.session() as session:
        await find(session, call_id, caller.tenant_id)  # nobody disturbs another tenant's stream
    await state.streams.leave(call_id)
    earlier = state.deliveries.of(call_id)
    if earlier is None:
        return
    try:
        await earlier.drained(state.settings.store_patience_seconds)
    except NotStored:
        raise
    except OtokuraError:
        return  # it was refused, and has been reported


async def _take(
    state: State, caller: Caller, call_id: UUID, fmt: StreamFormat, *, replays: bool
) -> tuple[Call, Claim, CallKey, int]:
    settings = await state.tenant_settings(caller.tenant_id)
    async with state.database.session() as session:
        call = await lock(session, call_id, caller.tenant_id)
        check_stream(call, fmt)
        if replays:
            check_open(call, settings)
        if not call.pieces:
            state.check_takes_calls()
        key = await state.keys.open(call)
        away = (await now(session) - call.last_audio_at).total_seconds() if call.samples else 0
        claim = await take(session, call, state.instance, state.settings.lease)
    return call, claim, key, 0 if replays else round(away * fmt.rate)
