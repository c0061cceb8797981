"""AudioSocket's frames: every kind, however the bytes arrive, and everything that is none."""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.audiosocket import AudioSocket
from dialects.sessions import read as read_session
from dialects.sessions import sample_audio
from otokura.ingest.audio_format import RATES as KNOWN_RATES
from otokura.ingest.dialects.audiosocket_frames import RATES, BadFrame, Frame, FrameReader, Kind

RECORDED = Path(__file__).parents[2] / "contract/dialects/recorded/asterisk-22-audiosocket.jsonl"
AUDIO = st.builds(Frame, st.sampled_from(sorted(RATES)), st.integers(1, 400).map(lambda n: b"\x01\x02" * n))
OTHERS = st.one_of(
    st.just(Frame(Kind.HANGUP, b"")),
    st.uuids().map(lambda one: Frame(Kind.UUID, one.bytes)),
    st.binary(max_size=50).map(lambda payload: Frame(Kind.SILENCE, payload)),
    st.binary(min_size=1, max_size=1).map(lambda digit: Frame(Kind.DIGIT, digit)),
    st.binary(max_size=1).map(lambda code: Frame(Kind.ERROR, code)),
)
FRAMES = st.lists(st.one_of(AUDIO, OTHERS), max_size=12)


def wire(frame: Frame) -> bytes:
    return bytes([frame.kind]) + len(frame.payload).to_bytes(2, "big") + frame.payload


def read(*pieces: bytes) -> list[Frame]:
    reader = FrameReader()
    return [frame for piece in pieces for frame in reader.feed(piece)]


def test_what_asterisk_sends_first() -> None:
    """Bytes of Asterisk 22: the UUID, then 20 ms of 8 kHz."""
    name = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")
    frames = read(bytes.fromhex("010010" + name.hex + "100140") + bytes(320))
    assert frames[0].uuid == name
    assert frames[1].rate == 8000
    assert frames[1].payload == bytes(320)


def test_a_session_that_a_real_asterisk_sent_is_read_to_the_last_byte() -> None:
    """Asterisk 22.10 played a second of a sample call to `AudioSocket/…/c(slin)`; it says no goodbye."""
    messages = [message for _, message in read_session(RECORDED).messages if isinstance(message, bytes)]
    frames = read(*messages)
    assert (len(frames), frames[0].kind) == (51, Kind.UUID)
    assert {frame.rate for frame in frames[1:]} == {8000}
    assert [b"".join(frame.payload for frame in frames[1:])] == sample_audio(AudioSocket())


def test_every_rate_can_be_recorded() -> None:
    assert [RATES[kind] for kind in sorted(RATES)] == list(KNOWN_RATES)


@given(FRAMES, st.lists(st.integers(0, 4000), max_size=8))
def test_frames_are_read_however_their_bytes_arrive(frames: list[Frame], cuts: list[int]) -> None:
    whole = b"".join(map(wire, frames))
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[start:stop] for start, stop in itertools.pairwise(places)]
    assert read(*pieces) == frames


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_are_frames_or_are_refused(pieces: list[bytes]) -> None:
    """Nothing but the one exception; and what is held never grows beyond a frame."""
    reader = FrameReader()
    try:
        for piece in pieces:
            frames = list(reader.feed(piece))
            assert all(frame.kind in (*RATES, *Kind) for frame in frames)
            assert len(reader._held) <= 3 + 0xFFFF
    except BadFrame:
        return


@given(FRAMES, st.integers(0, 255), st.integers(0, 0xFFFF))
def test_a_length_that_lies_costs_nothing_that_came_before(
    frames: list[Frame], kind: int, length: int
) -> None:
    """The good frames are given out before the bad one is refused."""
    reader = FrameReader()
    got: list[Frame] = []
    header = bytes([kind]) + length.to_bytes(2, "big")
    with suppress(BadFrame):
        got.extend(reader.feed(b"".join(map(wire, frames)) + header))
    assert got[: len(frames)] == frames


@pytest.mark.parametrize(
    "bad",
    [
        "000001ff",
        "01000f",
        "010011",
        "010000",
        "03000031",
        "030002",
        "100000",
        "100141",
        "100001",
        "ff0002",
        "040000",
        "0f0140",
        "190140",
        "7f0000",
    ],
)
def test_a_frame_that_lies_ends_it_before_its_bytes_come(bad: str) -> None:
    """The header is enough: nobody waits for 64 KiB that may never come."""
    with pytest.raises(BadFrame) as refused:
        read(bytes.fromhex(bad)[:3])
    assert "0x" in str(refused.value) or "known" in str(refused.value)


def test_errors_may_have_a_code_or_none() -> None:
    assert [frame.error for frame in read(bytes.fromhex("ff000104" + "ff0000"))] == [4, 0]


def test_a_frame_shows_nothing_of_what_was_said() -> None:
    """A digit may be a card number's."""
    assert "7" not in repr(Frame(Kind.DIGIT, b"7"))
    name = uuid4()
    assert name.hex[:8] not in repr(Frame(Kind.UUID, name.bytes))


def test_a_frame_under_way_is_known() -> None:
    reader = FrameReader()
    assert not reader.in_midst
    assert list(reader.feed(bytes.fromhex("1001"))) == []
    assert reader.in_midst
