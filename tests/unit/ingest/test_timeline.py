"""Cutting a stream into segments, and finding its gaps."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from otokura.ingest.models import Piece
from otokura.ingest.timeline import SegmentCutter, gaps, milliseconds
from otokura.shared.manifest import Gap

FRAME = 4
FULL = 80

chunks = st.lists(st.integers(1, 300).map(lambda frames: frames * FRAME), max_size=30)


def numbered(size: int, start: int) -> bytes:
    """Bytes that differ with their place, so that a lost or repeated one shows."""
    return b"".join(((start + offset) % 2**32).to_bytes(4, "little") for offset in range(0, size, 4))


@given(chunks)
def test_segments_joined_are_the_audio_however_it_was_chunked(sizes: list[int]) -> None:
    """Nothing is lost, repeated or reordered by cutting."""
    cutter, sent, segments = SegmentCutter(FRAME, FULL), b"", list[bytes]()
    for size in sizes:
        chunk = numbered(size, len(sent))
        sent += chunk
        assert cutter.push(chunk) == (cutter.held_samples >= FULL)
        while (cut := cutter.full()) is not None:
            assert cut.start_sample * FRAME == len(b"".join(segments))
            segments.append(cut.data)
    assert all(len(segment) == FRAME * FULL for segment in segments)
    assert cutter.held_samples < FULL
    if (last := cutter.rest()) is not None:
        segments.append(last.data)
    assert b"".join(segments) == sent
    assert cutter.position * FRAME == len(sent)
    assert cutter.rest() is None


@given(st.integers(0, 500), st.sampled_from([8, 16]))
def test_a_flush_in_the_middle_ends_on_a_whole_millisecond(samples: int, per_millisecond: int) -> None:
    """What is accepted can be told in milliseconds exactly; the rest stays with the client."""
    cutter = SegmentCutter(FRAME, 10_000)
    cutter.push(numbered(samples * FRAME, 0))
    flushed = cutter.rest(per_millisecond)
    assert (flushed.samples if flushed else 0) == samples // per_millisecond * per_millisecond
    assert cutter.held_samples == samples % per_millisecond


def lack(start: int, samples: int, channel: int = 1) -> Gap:
    return Gap(start_sample=start, samples=samples, reason="lost", channel=channel)


def test_what_one_channel_lacks_is_divided_where_segments_are_cut() -> None:
    """A span that crosses a cut belongs to both segments, each with its part."""
    cutter = SegmentCutter(FRAME, 100, position=1000)
    for absent in (lack(1010, 20), lack(1090, 130), lack(1300, 5)):
        cutter.lacks(absent)
    cutter.push(numbered(FRAME * 310, 0))
    cuts = [cut for _ in range(3) if (cut := cutter.full())]
    assert [cut.absent for cut in cuts] == [
        [lack(1010, 20), lack(1090, 10)],
        [lack(1100, 100)],
        [lack(1200, 20)],
    ]
    last = cutter.rest()
    assert last is not None
    assert last.absent == [lack(1300, 5)]


def piece(seq: int, start: int, samples: int, gap: str | None, absent: list[Gap] | None = None) -> Piece:
    return Piece(
        absent=[one.model_dump(mode="json") for one in absent] if absent else None,
        call_id=UUID(int=1),
        seq=seq,
        epoch=1,
        start_sample=start,
        samples=samples,
        gap=gap,
        object_name=None if gap else f"segment-{seq}",
    )


def test_neighbouring_gaps_of_one_reason_are_one() -> None:
    """A pause told in two messages is one pause in the manifest."""
    timeline = [
        piece(0, 0, 100, None),
        piece(1, 100, 50, "paused"),
        piece(2, 150, 50, "paused"),
        piece(3, 200, 10, "lost"),
        piece(4, 210, 90, None),
        piece(5, 300, 10, "lost"),
    ]
    assert gaps((piece, piece.gap) for piece in timeline) == [
        Gap(start_sample=100, samples=100, reason="paused"),
        Gap(start_sample=200, samples=10, reason="lost"),
        Gap(start_sample=300, samples=10, reason="lost"),
    ]


def test_a_gap_of_one_channel_goes_on_over_segments_and_beside_gaps_of_all() -> None:
    """Each channel's losses are joined by themselves, in the order of the timeline."""
    timeline = [
        piece(0, 0, 100, None, [lack(10, 5, 0), lack(90, 10)]),
        piece(1, 100, 100, None, [lack(100, 30)]),
        piece(2, 200, 50, "lost"),
        piece(3, 250, 100, None, [lack(250, 7)]),
    ]
    assert gaps((piece, piece.gap) for piece in timeline) == [
        lack(10, 5, 0),
        lack(90, 40),
        Gap(start_sample=200, samples=50, reason="lost"),
        lack(250, 7),
    ]


def test_a_call_without_audio_is_at_zero() -> None:
    """No rate is known yet, and none is needed."""
    assert milliseconds(0, None) == 0
    assert milliseconds(7_999, 8_000) == 999
