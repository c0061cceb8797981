"""Audio for live text: what is recorded is also sent on, in small encrypted pieces, as far as possible.

Recording never waits for it. What the broker does not take soon is thrown away, and whoever listens finds a
hole in the samples' numbers; the recording has no hole there. Only what is recorded comes here: a pause, or a
missing notice, is told as a gap.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import deque
from datetime import UTC, datetime

from otokura.ingest.audio_format import StreamFormat
from otokura.ingest.call_keys import CallKey
from otokura.ingest.instruments import LIVE_CHUNKS
from otokura.ingest.models import Call
from otokura.ingest.timeline import Cut, SegmentCutter
from otokura.shared.cipher import encrypt
from otokura.shared.cloudevents import Record, encode
from otokura.shared.events import ChannelRole, LiveChunk
from otokura.shared.gaps import Gap, GapReason
from otokura.shared.ids import uuid7
from otokura.shared.keys import Kind, associated_data
from otokura.shared.producer import MAX_RECORD_BYTES, Producer

_AT_ONCE_BYTES = MAX_RECORD_BYTES * 2
"""Sent together: little enough that what is newer need not wait long."""


class LiveChunks:
    """What waits for the broker, bounded: the oldest gives way.

    Args:
        producer: for this alone: a broker that is slow with audio must not hold up events.
        source: the CloudEvents source.
        chunk_ms: how long a chunk is.
        limit: bytes that may wait, over all calls.
    """

    def __init__(self, producer: Producer, source: str, chunk_ms: int, limit: int) -> None:
        self.chunk_ms = chunk_ms
        self._producer = producer
        self._source = source
        self._limit = limit
        self._waiting: deque[Record] = deque()
        self._bytes = 0
        self._news = asyncio.Event()

    def add(self, chunk: LiveChunk) -> None:
        """Take a chunk; never waits."""
        record = encode(chunk, uuid7(), self._source, chunk.recorded_at)
        self._waiting.append(record)
        self._bytes += _size(record)
        while self._bytes > self._limit:
            self._next()
            LIVE_CHUNKS.labels("dropped").inc()
        self._news.set()

    async def run(self) -> None:
        """Send without end. What is not acknowledged is not sent again: it would be old by then."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                records = self._take()
                acknowledged = sum(await self._producer.send_all(records))
                LIVE_CHUNKS.labels("sent").inc(acknowledged)
                LIVE_CHUNKS.labels("dropped").inc(len(records) - acknowledged)

    def _take(self) -> list[Record]:
        records = [self._next()]
        size = _size(records[0])
        while self._waiting and size + _size(self._waiting[0]) <= _AT_ONCE_BYTES:
            records.append(self._next())
            size += _size(records[-1])
        return records

    def _next(self) -> Record:
        record = self._waiting.popleft()
        self._bytes -= _size(record)
        return record


class LiveTap:
    """Makes chunks of what one connection records.

    Args:
        chunks: where they go.
        call: whose audio it is.
        epoch: of the claim.
        key: the call's.
        fmt: of the frames.
    """

    def __init__(self, chunks: LiveChunks, call: Call, epoch: int, key: CallKey, fmt: StreamFormat) -> None:
        self._chunks = chunks
        self._roles = [ChannelRole(channel["role"]) for channel in call.channels]
        self._language = call.language
        self._epoch = epoch
        self._key = key
        self._live_key = key.of(Kind.LIVE)
        self._format = fmt
        self._full = chunks.chunk_ms * fmt.rate // 1000 * fmt.frame_bytes
        self._largest = MAX_RECORD_BYTES // 2
        self._held = bytearray()
        self._absent: list[Gap] = []
        self._start = self._seq = 0

    def audio(self, position: int, frames: bytes) -> None:
        """Take frames that are recorded at a position of the timeline; they follow those before."""
        if self._held and len(self._held) + len(frames) > self._largest:
            self.flush()
        if not self._held:
            self._start = position
        self._held += frames
        if len(self._held) >= self._full:
            self.flush()

    def lacks(self, absent: Gap) -> None:
        """One channel has no audio in a span of the frames that come next."""
        self._absent.append(absent)

    def gap(self, start: int, samples: int, reason: GapReason | None) -> None:
        """Nothing was recorded in a span."""
        self.flush()
        self._publish(start, samples, gap=reason or "lost")

    def ended(self, position: int) -> None:
        """The call is over."""
        self.flush()
        self._publish(position, 0, ended=True)

    def flush(self) -> None:
        """Send what is held."""
        if not self._held:
            return
        binding = associated_data(
            self._key.tenant_id, self._key.call_id, Kind.LIVE, sequence=self._seq, version=self._epoch
        )
        sealed = encrypt(self._live_key, self._held, binding)
        samples = len(self._held) // self._format.frame_bytes
        self._held.clear()
        absent, self._absent = self._absent, []
        self._publish(self._start, samples, sealed=sealed, absent=absent)

    def _publish(
        self,
        start: int,
        samples: int,
        *,
        sealed: bytes | None = None,
        absent: list[Gap] | None = None,
        gap: GapReason | None = None,
        ended: bool = False,
    ) -> None:
        chunk = LiveChunk(
            call_id=self._key.call_id,
            tenant_id=self._key.tenant_id,
            version=self._epoch,
            epoch=self._epoch,
            seq=self._seq,
            start_sample=start,
            samples=samples,
            rate=self._format.rate,
            encoding=self._format.encoding.value,
            roles=self._roles,
            language=self._language,
            gap=gap,
            absent=absent or [],
            sealed=b64encode(sealed) if sealed is not None else None,
            ended=ended,
            recorded_at=datetime.now(UTC),
        )
        self._seq += 1
        self._chunks.add(chunk)


class TappedCutter(SegmentCutter):
    """A cutter that lets a tap hear what it takes.

    A class of its own, so that the calls that want no live text, which are most, do not even ask.
    """

    def __init__(self, tap: LiveTap, frame_bytes: int, segment_samples: int, position: int) -> None:
        super().__init__(frame_bytes, segment_samples, position)
        self._tap = tap

    def push(self, frames: bytes) -> bool:
        """As `SegmentCutter.push`."""
        self._tap.audio(self.position, frames)
        return super().push(frames)

    def lacks(self, absent: Gap) -> None:
        """As `SegmentCutter.lacks`."""
        self._tap.lacks(absent)
        super().lacks(absent)

    def rest(self, multiple_of: int = 1) -> Cut | None:
        """As `SegmentCutter.rest`: the stream pauses here, so nothing more may come for long."""
        self._tap.flush()
        return super().rest(multiple_of)


def cutter(frame_bytes: int, segment_samples: int, position: int, tap: LiveTap | None) -> SegmentCutter:
    """The cutter of a connection, tapped where live text is wanted."""
    if tap is None:
        return SegmentCutter(frame_bytes, segment_samples, position)
    return TappedCutter(tap, frame_bytes, segment_samples, position)


def _size(record: Record) -> int:
    return len(record.value or b"")
