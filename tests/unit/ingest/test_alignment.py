"""Channels that come apart, put together by their timestamps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.ingest.alignment import Aligner, Frames, Hole
from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.ingest.errors import MalformedAudio

RATE, FRAME = 8000, 160
MULAW = StreamFormat(Encoding.MULAW, RATE, 2)
PCM = StreamFormat(Encoding.PCM_S16LE, RATE, 2)


def legs(fmt: StreamFormat, frames: int) -> list[list[bytes]]:
    """Frames of 20 ms for each channel, whose bytes differ with their place."""
    size = FRAME * fmt.sample_bytes
    return [
        [bytes((channel * 100 + number * 3 + byte) % 251 for byte in range(size)) for number in range(frames)]
        for channel in range(fmt.channels)
    ]


def woven(fmt: StreamFormat, channels: list[bytes]) -> bytes:
    width = fmt.sample_bytes
    count = len(channels[0]) // width
    return b"".join(leg[n * width : (n + 1) * width] for n in range(count) for leg in channels)


def drained(aligner: Aligner, taken: list[Frames | Hole]) -> list[Frames | Hole]:
    return taken + aligner.take(everything=True)


def audio(taken: list[Frames | Hole]) -> bytes:
    return b"".join(one.data for one in taken if isinstance(one, Frames))


def absent(taken: list[Frames | Hole]) -> dict[int, int]:
    """Samples that each channel lacks."""
    lacking: dict[int, int] = {}
    for one in taken:
        for channel, _, samples in one.absent if isinstance(one, Frames) else []:
            lacking[channel] = lacking.get(channel, 0) + samples
    return lacking


@pytest.mark.parametrize("fmt", [MULAW, PCM])
@given(order=st.permutations(range(40)), repeats=st.lists(st.integers(0, 39), max_size=10))
def test_any_order_and_repetition_within_the_window_gives_the_audio(
    fmt: StreamFormat, order: list[int], repeats: list[int]
) -> None:
    """20 frames of two channels are 0.4 s: all of them may come in any order, some of them twice."""
    sent = legs(fmt, 20)
    aligner, taken = Aligner(fmt), list[Frames | Hole]()
    for which in [*order, *repeats]:
        channel, number = divmod(which, 20)
        aligner.place(channel, number * FRAME, sent[channel][number])
        taken += aligner.take()
    taken = drained(aligner, taken)
    assert audio(taken) == woven(fmt, [b"".join(leg) for leg in sent])
    assert absent(taken) == {}
    assert aligner.drift == [0, 0]


@given(lost=st.sets(st.integers(0, 198), max_size=60))
def test_what_is_lost_is_silence_and_is_told(lost: set[int]) -> None:
    """Every place keeps its time; each channel's missing samples are counted exactly."""
    sent = legs(MULAW, 100)
    aligner, taken = Aligner(MULAW), list[Frames | Hole]()
    for number in range(100):
        for channel in range(2):
            if number * 2 + channel not in lost:
                aligner.place(channel, number * FRAME, sent[channel][number])
        taken += aligner.take()
    taken = drained(aligner, taken)
    expected = [
        b"".join(
            b"\xff" * FRAME if n * 2 + channel in lost else frame for n, frame in enumerate(sent[channel])
        )
        for channel in range(2)
    ]
    got = b"".join(one.data if isinstance(one, Frames) else MULAW.silence(one.samples) for one in taken)
    assert got == woven(MULAW, expected)[: len(got)]
    reach = max(n + 1 for n in range(100) for c in range(2) if n * 2 + c not in lost) * FRAME
    assert len(got) == reach * 2


def test_a_channel_that_never_speaks_holds_nothing_up() -> None:
    sent = legs(MULAW, 100)
    aligner, given_back = Aligner(MULAW), 0
    for number, frame in enumerate(sent[0]):
        aligner.place(0, number * FRAME, frame)
        for one in aligner.take():
            assert isinstance(one, Frames)
            assert one.absent == [(1, 0, one.samples)]
            given_back += one.samples
    assert given_back > 90 * FRAME - 0.7 * RATE


def test_a_span_that_no_channel_has_is_a_hole() -> None:
    """An hour without audio costs nothing."""
    aligner = Aligner(MULAW)
    for channel in range(2):
        aligner.place(channel, 0, b"\x01" * FRAME)
        aligner.place(channel, 3600 * RATE, b"\x02" * FRAME)
    first, hole, last = aligner.take(everything=True)
    assert (first, hole, last) == (
        Frames(b"\x01" * FRAME * 2, FRAME, []),
        Hole(3600 * RATE - FRAME),
        Frames(b"\x02" * FRAME * 2, FRAME, []),
    )


@pytest.mark.guarantee("A13")
@pytest.mark.parametrize("step", [FRAME + 1, FRAME - 1])
def test_drift_between_channels_is_bounded_and_told(step: int) -> None:
    """One clock runs 0.6 % fast or slow against its count of samples for a minute: the legs stay together."""
    aligner, taken = Aligner(MULAW), list[Frames | Hole]()
    for number in range(3000):
        aligner.place(0, number * FRAME, b"\x01" * FRAME)
        aligner.place(1, number * step, b"\x02" * FRAME)
        taken += aligner.take()
    taken = drained(aligner, taken)
    true_length = max(3000 * FRAME, 2999 * step + FRAME)
    assert abs(sum(one.samples for one in taken) - true_length) <= 0.01 * RATE
    assert aligner.drift[0] == 0
    assert abs(aligner.drift[1] - 2999 * (step - FRAME)) <= 0.01 * RATE


def test_timestamps_that_start_anew_are_refused_rather_than_dropped() -> None:
    aligner = Aligner(MULAW)
    for number in range(1000):
        for channel in range(2):
            aligner.place(channel, number * FRAME, b"\x01" * FRAME)
        aligner.take()
    with pytest.raises(MalformedAudio, match="go back"):
        aligner.place(0, 0, b"\x01" * FRAME)
