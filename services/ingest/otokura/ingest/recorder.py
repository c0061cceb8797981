"""Accepting live audio: cut, encrypted, stored, and only then counted.

The order is the guarantee: the object first, then its row under the current epoch; a client hears
"accepted" only after both. A crash between the two leaves an object that no row names, which cleaning
removes; it never leaves a row without its object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from otokura.ingest.call_keys import CallKey
from otokura.ingest.instruments import ACCEPTED_SECONDS, REFUSED_SEGMENTS
from otokura.ingest.models import Call
from otokura.ingest.objects import discard, put_segment, segment_name
from otokura.ingest.repository import Claim, NewPiece, accept
from otokura.ingest.state import State
from otokura.ingest.timeline import SegmentCutter, milliseconds
from otokura.ingest.wire import SAMPLE_BYTES, Progress
from otokura.shared.cipher import encrypt
from otokura.shared.errors import Conflict, TooLarge, Unavailable
from otokura.shared.keys import Kind
from otokura.shared.logs import get_logger

log = get_logger(__name__)

RETRY_SECONDS = 0.25


class Recorder:
    """Writes the audio of one connection under its claim.

    Args:
        state: the process's connections.
        call: the row as it was when the claim was taken: where the timeline goes on.
        claim: the right to write.
        key: the call's key.
        rate: sample rate in Hz.
    """

    def __init__(self, state: State, call: Call, claim: Claim, key: CallKey, rate: int) -> None:
        self._state = state
        self._claim = claim
        self._key = key
        self._rate = rate
        self._channels = len(call.channels)
        self._seq = call.pieces
        self._position = call.samples
        settings = state.settings
        self._limit = settings.max_call_seconds * rate
        self._segment_key = key.of(Kind.SEGMENT)
        self._frame = SAMPLE_BYTES * self._channels
        self._cutter = SegmentCutter(self._frame, settings.segment_seconds * rate)

    @property
    def call_id(self) -> UUID:
        """The call that is recorded."""
        return self._claim.call_id

    @property
    def epoch(self) -> int:
        """Of the claim: newer is greater."""
        return self._claim.epoch

    @property
    def holds_audio(self) -> bool:
        """Whether something waits for the rest of its segment."""
        return self._cutter.held_samples > 0

    def progress(self, *, ready: bool = False, final: bool = False) -> Progress:
        """What the client is told."""
        reached = milliseconds(self._position, self._rate)
        return Progress(
            type="ready" if ready else "accepted",
            accepted_ms={str(channel): reached for channel in range(self._channels)},
            accepted_samples=self._position,
            final=final,
        )

    async def write(self, pcm: bytes) -> bool:
        """Take interleaved s16le frames; True when that completed and stored a segment.

        Raises:
            TooLarge: the call is longer than any call may be.
            Fenced: a newer connection took over.
            CallClosed: the call ended.
            Unavailable: the store or the database stays away.
        """
        self._check_length(len(pcm) // self._frame)
        self._cutter.push(pcm)
        stored = False
        while (segment := self._cutter.full()) is not None:
            await self._store(segment)
            stored = True
        return stored

    async def flush(self, *, final: bool = False) -> bool:
        """Store what is held: all of it at the end of the stream, else up to a whole millisecond.

        Raises:
            OtokuraError: as `write`.
        """
        segment = self._cutter.rest(1 if final else self._rate // 1000)
        if segment is None:
            return False
        await self._store(segment)
        return True

    async def gap(self, milliseconds_: int, reason: str) -> None:
        """Move the timeline on over a span that was not recorded.

        Raises:
            OtokuraError: as `write`.
        """
        samples = milliseconds_ * self._rate // 1000
        self._check_length(samples)
        await self.flush(final=True)
        await self._accept(self._piece(samples, gap=reason))

    def _check_length(self, samples: int) -> None:
        if self._position + self._cutter.held_samples + samples > self._limit:
            hours = self._state.settings.max_call_seconds / 3600
            raise TooLarge(f"A call may last {hours:g} hours. End it and start another.")

    def _piece(self, samples: int, *, object_name: str | None = None, gap: str | None = None) -> NewPiece:
        return NewPiece(self._seq, self._position, samples, self._rate, object_name, gap)

    async def _store(self, segment: bytes) -> None:
        name = segment_name(self._key.tenant_id, self._claim.call_id, self._claim.epoch, self._seq)
        binding = self._key.segment_binding(self._seq, self._claim.epoch)
        sealed = encrypt(self._segment_key, segment, binding)
        await self._patiently(lambda: self._put(name, sealed))
        samples = len(segment) // self._frame
        try:
            await self._accept(self._piece(samples, object_name=name))
        except Conflict as refusal:
            await self._discard(name, refusal)
            raise
        ACCEPTED_SECONDS.inc(samples * self._channels / self._rate)

    async def _put(self, name: str, sealed: bytes) -> None:
        await put_segment(self._state.store, self._state.settings.recordings_bucket, name, sealed)

    async def _accept(self, piece: NewPiece) -> None:
        async def attempt() -> None:
            async with self._state.database.session() as session:
                await accept(session, self._claim, piece, self._state.settings.lease)

        await self._patiently(attempt)
        self._seq += 1
        self._position += piece.samples

    async def _patiently(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Ride out a short outage: meanwhile the client's audio waits in the sockets' buffers."""
        deadline = asyncio.get_running_loop().time() + self._state.settings.store_patience_seconds
        while True:
            try:
                return await attempt()
            except Unavailable:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    async def _discard(self, name: str, refusal: Conflict) -> None:
        """A late segment is refused and reported; its object is nobody's."""
        REFUSED_SEGMENTS.labels(refusal.code).inc()
        log.warning("segment.refused", call_id=str(self.call_id), seq=self._seq, reason=refusal.code)
        await discard(self._state.store, self._state.settings.recordings_bucket, name)
