"""From frames to sealed segments: holding, cutting, withholding, encrypting, handing on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from otokura.ingest.alignment import Frames, Hole
from otokura.ingest.audio_format import StreamFormat
from otokura.ingest.call_keys import CallKey
from otokura.ingest.delivery import Delivery
from otokura.ingest.errors import CallClosed, Fenced, NotStored
from otokura.ingest.gates import current, hear_gate
from otokura.ingest.live_chunks import LiveTap, cutter
from otokura.ingest.models import Call, CallState
from otokura.ingest.outlet import Outlet
from otokura.ingest.progress import Progress
from otokura.ingest.repository import Claim
from otokura.ingest.service import withheld
from otokura.ingest.settings import Settings
from otokura.ingest.spool import Label
from otokura.ingest.timeline import Cut, milliseconds
from otokura.shared.cipher import encrypt
from otokura.shared.errors import OtokuraError, TooLarge
from otokura.shared.events import TenantSettings
from otokura.shared.keys import Kind
from otokura.shared.manifest import Gap, GapReason


class Intake:
    """Takes one connection's frames under its claim.

    Args:
        call: the row as it was when the claim was taken: where the timeline goes on.
        delivery: of the claim.
        key: the call's key.
        fmt: of the frames.
        settings: the process's, and the tenant's.
        replays: whether the client sends again what was not accepted.
        tap: hears what is recorded, for live text; None: nobody asked for it.
    """

    def __init__(
        self,
        call: Call,
        delivery: Delivery,
        outlet: Outlet,
        key: CallKey,
        fmt: StreamFormat,
        settings: tuple[Settings, TenantSettings],
        *,
        replays: bool,
        tap: LiveTap | None = None,
    ) -> None:
        self.claim: Claim = delivery.claim
        self.format = fmt
        self.drift: list[int] | None = None
        self.before_change: Callable[[], None] | None = None
        self.counted: Callable[[int], None] | None = None
        self.catch_up: Callable[[], Awaitable[None]] = _nothing_waits
        """Awaited before what may be recorded changes: what was sent before belongs to the time before."""
        self._settings, self._tenant = settings
        self._delivery, self._outlet, self._key = delivery, outlet, key
        self._segment_key = key.of(Kind.SEGMENT)
        self._frame = fmt.frame_bytes
        self._full = self._settings.segment_seconds * fmt.rate
        self._limit = self._settings.max_call_seconds * fmt.rate
        self._step = fmt.rate // 1000 if replays else 1
        self._began = call.samples
        self._tap = tap
        self._cutter = cutter(self._frame, self._full, call.samples, tap)
        self._seq = call.pieces
        self._gate_reason: GapReason | None = withheld(call.paused, call.notice, self._tenant)
        self._own_reason: GapReason | None = None
        self._skipped = 0
        self._skipped_for: GapReason | None = self.withheld
        self._due: list[tuple[GapReason | None, Frames | Hole]] = []
        self._plain = self.withheld is None
        self._broken: OtokuraError | None = None
        self._lock = asyncio.Lock()
        self._held_since: tuple[int, float] = (-1, 0.0)

    @property
    def position(self) -> int:
        """Where on the call's timeline the next sample will lie."""
        return self._cutter.position + self._skipped

    @property
    def withheld(self) -> GapReason | None:
        """Why nothing is recorded now."""
        return self._gate_reason or self._own_reason

    @property
    def error(self) -> OtokuraError | None:
        """Why delivery has failed for good."""
        return self._broken or self._delivery.error

    def progress(self, *, ready: bool, final: bool) -> Progress:
        """What the client is told."""
        accepted = self._delivery.accepted
        reached = milliseconds(accepted, self.format.rate)
        return Progress(
            type="ready" if ready else "accepted",
            accepted_ms={str(channel): reached for channel in range(self.format.channels)},
            accepted_samples=accepted,
            spooled_samples=self._delivery.spooled_samples,
            final=final,
        )

    def check_reach(self, samples: int) -> None:
        """Whether a call may be so long, counted from the connection's start.

        Raises:
            TooLarge: it may not.
        """
        if self._began + samples > self._limit:
            hours = self._settings.max_call_seconds / 3600
            raise TooLarge(f"A call may last {hours:g} hours. End it and start another.")

    async def take(self, data: bytes) -> None:
        """Take frames. Fifty come a second on each stream: the usual way through is short."""
        if not data or len(data) % self._frame:
            self.format.check(data)
        if self._broken is not None:
            raise self._broken
        if self._plain:
            if self._cutter.push(data):
                async with self._lock:
                    await self._send_full()
            return
        await self.absorb(Frames(data, len(data) // self._frame, []))

    async def absorb(self, one: Frames | Hole) -> None:
        """Take frames, of which single channels may lack spans, or a span that every channel lacks."""
        async with self._lock:
            await self._settle()
            await self._record(one, self.withheld)
            if self._cutter.held_samples >= self._full:
                await self._send_full()

    async def _record(self, one: Frames | Hole, reason: GapReason | None) -> None:
        if reason is not None:
            await self._pass_over(one.samples, reason)
        elif isinstance(one, Hole):
            await self._pass_over(one.samples, "lost")
            await self._send_skipped()
        else:
            await self._send_skipped()
            for channel, offset, samples in one.absent:
                start = self._cutter.position + offset
                lack = Gap(start_sample=start, samples=samples, reason="lost", channel=channel)
                self._cutter.lacks(lack)
            self._cutter.push(one.data)

    def withhold(self, reason: GapReason | None) -> None:
        """The dialect withholds from now on, or does no more."""
        self._change(self._gate_reason, reason)

    def _change(self, gate: GapReason | None, own: GapReason | None) -> None:
        if (gate, own) == (self._gate_reason, self._own_reason):
            return
        if self.before_change is not None:
            self.before_change()
        self._gate_reason, self._own_reason = gate, own
        self._plain = False

    def note_due(self, one: Frames | Hole) -> None:
        """Keep what came before a change: it is taken as it would have been then."""
        self._due.append((self.withheld, one))

    async def skip(self, samples: int, reason: GapReason) -> None:
        """Move on over a span that was not recorded."""
        async with self._lock:
            await self._settle()
            await self._pass_over(samples, reason)
            await self._send_skipped()

    async def flush(self, *, everything: bool = False) -> None:
        """Hand on what is held; a client that replays keeps the samples of a begun millisecond."""
        async with self._lock:
            await self._settle()
            await self._send_skipped()
            cut = self._cutter.rest(1 if everything else self._step)
            if cut is not None:
                await self._send(cut)

    async def stored(self) -> None:
        """Wait until what was handed on is accepted."""
        await self._delivery.drained(self._patience)

    async def finish(self) -> None:
        """Hand on everything and wait until it is accepted."""
        await self.flush(everything=True)
        await self.stored()

    async def end(self) -> None:
        """Hand on everything, and after it the end of the call."""
        await self.flush(everything=True)
        async with self._lock:
            if self._tap is not None:
                self._tap.ended(self._cutter.position)
            label = self._label(self._cutter.position, 0)
            await self._delivery.add(label.model_copy(update={"ends": True}), b"", self._patience)
        with suppress(NotStored):  # the end is on its way behind the audio; nobody has to wait for it
            await self._delivery.drained(self._patience)

    async def look_again(self) -> bool:
        """Read what others changed about the call, and follow it; True if somebody wants it ended.

        `error` is set if the call is lost to this connection.
        """
        async with self._outlet.database.reading() as connection:
            row = await current(connection, self.claim.call_id)
        if row is None or row.state != CallState.LIVE or row.epoch != self.claim.epoch:
            self._broken = Fenced() if row is None or row.state == CallState.LIVE else CallClosed(row.state)
            return False
        if row.gate != self._delivery.gate:
            await self.catch_up()
            self._change(withheld(row.paused, row.notice, self._tenant), self._own_reason)
            async with self._lock:
                await self._settle()
            self._delivery.gate = row.gate
            async with self._outlet.database.reading() as connection:
                await hear_gate(connection, self.claim, row.gate)
        return row.end_asked_at is not None

    def waited_too_long(self, moment: float, more: bool) -> bool:
        """Whether something has been held for so long that it is stored as a shorter segment."""
        start = self._cutter.position - self._cutter.held_samples
        if start != self._held_since[0] or not (self._cutter.held_samples or self._skipped or more):
            self._held_since = (start, moment)
            return False
        if moment - self._held_since[1] < self._settings.flush_seconds:
            return False
        self._held_since = (start, moment)
        return True

    async def _settle(self) -> None:
        """Finish what belongs to the time before the last change."""
        due, self._due = self._due, []
        for reason, one in due:
            await self._record(one, reason)
        if self.withheld is None:
            await self._send_skipped()
            self._plain = True
        elif cut := self._cutter.rest():
            await self._send(cut)

    async def _pass_over(self, samples: int, reason: GapReason) -> None:
        """Count a span that is not recorded; it is told in pieces, so that the timeline visibly moves on."""
        if cut := self._cutter.rest():
            await self._send(cut)
        if reason != self._skipped_for:
            await self._send_skipped()
        self._skipped, self._skipped_for = self._skipped + samples, reason
        if self._skipped >= self._full:
            await self._send_skipped()

    async def _send_skipped(self) -> None:
        if self._skipped:
            label = self._label(self._cutter.position, self._skipped)
            if self._tap is not None:
                self._tap.gap(self._cutter.position, self._skipped, self._skipped_for)
            self._cutter.skip(self._skipped)
            self._skipped = 0
            await self._hand_on(label.model_copy(update={"gap": self._skipped_for}), b"")

    async def _send_full(self) -> None:
        while (cut := self._cutter.full()) is not None:
            await self._send(cut)

    async def _send(self, cut: Cut) -> None:
        label = self._label(cut.start_sample, cut.samples)
        binding = self._key.segment_binding(label.seq, self.claim.epoch)
        sealed = encrypt(self._segment_key, cut.data, binding)
        if self.counted is not None:
            self.counted(len(cut.data))
        await self._hand_on(label.model_copy(update={"absent": cut.absent}), sealed)

    async def _hand_on(self, label: Label, sealed: bytes) -> None:
        self.check_reach(label.start_sample + label.samples - self._began)
        try:
            await self._delivery.add(label, sealed, self._patience)
        except OtokuraError as error:
            # What follows on the timeline cannot be stored without this: the connection is over.
            self._broken = error
            raise
        self._seq += 1

    def _label(self, start: int, samples: int) -> Label:
        return Label(
            tenant_id=self._key.tenant_id,
            call_id=self.claim.call_id,
            epoch=self.claim.epoch,
            seq=self._seq,
            start_sample=start,
            samples=samples,
            rate=self.format.rate,
            encoding=self.format.encoding.value,
            drift=self.drift if self.drift and any(self.drift) else None,
        )

    @property
    def _patience(self) -> float:
        return self._settings.store_patience_seconds


async def _nothing_waits() -> None:
    """Every message is taken as it comes."""
