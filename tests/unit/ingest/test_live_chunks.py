"""Audio on its way to live text: what is recorded, all of it or with holes that show, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.ingest.call_keys import CallKey
from otokura.ingest.live_chunks import LiveChunks, LiveTap, TappedCutter
from otokura.ingest.models import Call
from otokura.shared.cipher import decrypt
from otokura.shared.cloudevents import Record
from otokura.shared.errors import IntegrityError
from otokura.shared.events import LiveChunk
from otokura.shared.keys import Kind, associated_data, new_dek
from otokura.shared.manifest import Gap
from otokura.shared.producer import MAX_RECORD_BYTES, Producer

TENANT, CALL = UUID(int=1), UUID(int=2)
KEY = CallKey(TENANT, CALL, new_dek())
FORMAT = StreamFormat(Encoding.MULAW, 8000, 2)
CHUNK_MS = 500
FULL = 4000
"""Samples in a chunk."""


class Broker:
    """In the place of a producer: keeps what is sent while it is there, and answers when it is told."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.there = asyncio.Event()

    async def send_all(self, records: Sequence[Record]) -> list[bool]:
        await self.there.wait()
        self.records += records
        return [True] * len(records)

    def chunks(self) -> list[LiveChunk]:
        return [LiveChunk.model_validate_json(record.value or b"") for record in self.records]


def tap_into(broker: Broker, *, limit: int = 1 << 24) -> tuple[LiveChunks, LiveTap]:
    chunks = LiveChunks(cast("Producer", broker), "test", CHUNK_MS, limit)
    return chunks, LiveTap(chunks, call(), 3, KEY, FORMAT)


def call() -> Call:
    """A row with what a tap looks at."""
    return Call(id=CALL, channels=[{"role": "agent"}, {"role": "customer"}], language="ja")  # type: ignore[call-arg]


async def sent(broker: Broker, chunks: LiveChunks) -> list[LiveChunk]:
    """Everything that waits, after the broker has taken it."""
    broker.there.set()
    sending = asyncio.create_task(chunks.run())
    for _ in range(20):
        await asyncio.sleep(0)
    sending.cancel()
    await asyncio.wait({sending})
    return broker.chunks()


def opened(chunk: LiveChunk, *, seq: int | None = None) -> bytes:
    place = chunk.seq if seq is None else seq
    binding = associated_data(TENANT, CALL, Kind.LIVE, sequence=place, version=chunk.epoch)
    return decrypt(KEY.of(Kind.LIVE), chunk.sealed or b"", binding)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9000).map(lambda samples: samples * 2), max_size=12))
def test_chunks_joined_are_the_audio_however_it_came(sizes: list[int]) -> None:
    """Nothing is lost, repeated or reordered, and the places follow each other."""
    audio = [bytes((n + i) % 256 for i in range(size)) for n, size in enumerate(sizes)]

    async def run() -> list[LiveChunk]:
        broker = Broker()
        chunks, tap = tap_into(broker)
        cutter = TappedCutter(tap, FORMAT.frame_bytes, 40_000, 160)
        for frames in audio:
            cutter.push(frames)
            while cutter.full() is not None:
                pass
        cutter.rest()
        return await sent(broker, chunks)

    chunks = asyncio.run(run())
    assert b"".join(map(opened, chunks)) == b"".join(audio)
    assert [chunk.seq for chunk in chunks] == list(range(len(chunks)))
    places = [(chunk.start_sample, chunk.start_sample + chunk.samples) for chunk in chunks]
    assert [start for start, _ in places] == [160, *(stop for _, stop in places)][: len(places)]


async def test_a_chunk_says_what_it_is_and_hides_what_is_in_it() -> None:
    """Roles, place and epoch are in the clear; audio is bound to its place."""
    broker = Broker()
    chunks, tap = tap_into(broker)
    tap.audio(0, b"\x11" * 2 * FULL)
    (chunk,) = await sent(broker, chunks)
    assert (chunk.epoch, chunk.seq, chunk.samples, chunk.rate) == (3, 0, FULL, 8000)
    assert [str(role) for role in chunk.roles] == ["agent", "customer"]
    assert b"\x11" * 16 not in (chunk.sealed or b"")
    with pytest.raises(IntegrityError):
        opened(chunk, seq=1)


async def test_a_gap_is_told_with_its_reason_after_the_audio_before_it() -> None:
    """What was held is sent first; a gap carries no audio, and neither does the end."""
    broker = Broker()
    chunks, tap = tap_into(broker)
    tap.audio(0, b"\x11" * 2 * 100)
    tap.gap(100, 8000, "paused")
    tap.lacks(Gap(start_sample=8100, samples=50, reason="lost", channel=1))
    tap.audio(8100, b"\x12" * 2 * 100)
    tap.ended(8200)
    told = [
        (chunk.start_sample, chunk.samples, chunk.gap, chunk.sealed is None, len(chunk.absent), chunk.ended)
        for chunk in await sent(broker, chunks)
    ]
    assert told == [
        (0, 100, None, False, 0, False),
        (100, 8000, "paused", True, 0, False),
        (8100, 100, None, False, 1, False),
        (8200, 0, None, True, 0, True),
    ]


@pytest.mark.guarantee("T41")
async def test_a_broker_that_is_away_costs_a_bounded_queue_and_nobody_waits() -> None:
    """Taking audio never waits, the oldest chunks give way, and the places show the hole."""
    broker = Broker()
    chunks, tap = tap_into(broker, limit=100_000)
    for number in range(100):
        tap.audio(number * FULL, b"\x11" * 2 * FULL)
    arrived = await sent(broker, chunks)
    assert sum(len(record.value or b"") for record in broker.records) <= 100_000
    assert [chunk.start_sample // FULL for chunk in arrived] == list(range(100 - len(arrived), 100))


async def test_the_largest_message_makes_chunks_that_the_broker_takes() -> None:
    """A client that sends half a megabyte at once, in a format of many bytes, fills no record."""
    broker = Broker()
    chunks = LiveChunks(cast("Producer", broker), "test", 1000, 1 << 24)
    fmt = StreamFormat(Encoding.PCM_S16LE, 192_000, 2)
    tap = LiveTap(chunks, call(), 1, KEY, fmt)
    for number in range(4):
        tap.audio(number * 131_072, bytes(512 * 1024))
    tap.flush()
    await sent(broker, chunks)
    assert max(len(record.value or b"") for record in broker.records) < MAX_RECORD_BYTES
