"""Streams without timestamps, held against a clock that the tests turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.ingest.alignment import Frames, Hole
from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.ingest.pace import MOST_HELD_SECONDS, Pace

FORM = StreamFormat(Encoding.MULAW, 8000, 1)
PIECE = bytes(160)
TWENTY_MS = 0.02


class Watched:
    """A stream and its clock; `timeline` is what is recorded: whether it came, and how many samples."""

    def __init__(self) -> None:
        self.pace = Pace(FORM)
        self.now = 1000.0
        self.timeline: list[tuple[bool, int]] = []

    def note(self, due: list[Frames | Hole]) -> None:
        self.timeline += [(isinstance(one, Frames), one.samples) for one in due]

    def speak(self, seconds: float, *, faster: float = 1.0) -> None:
        for _ in range(round(seconds / TWENTY_MS)):
            self.now += TWENTY_MS / faster
            self.note(self.pace.arrived(PIECE, self.now))

    def wait(self, seconds: float) -> None:
        """Nothing comes; the process looks at the stream twice a second."""
        until = self.now + seconds
        while self.now + 0.5 < until:
            self.now += 0.5
            self.note(self.pace.due(self.now))
        self.now = until

    def end(self) -> list[tuple[bool, float]]:
        """The whole timeline in seconds, neighbours of one kind joined."""
        self.note(self.pace.release())
        joined: list[tuple[bool, float]] = []
        for heard, samples in self.timeline:
            if joined and joined[-1][0] is heard:
                joined[-1] = (heard, joined[-1][1] + samples / 8000)
            else:
                joined.append((heard, samples / 8000))
        return joined


def near(timeline: list[tuple[bool, float]], wanted: list[tuple[bool, float]]) -> bool:
    """Alike, to a tenth of a second."""
    return [kind for kind, _ in timeline] == [kind for kind, _ in wanted] and all(
        abs(found - asked) < 0.1 for (_, found), (_, asked) in zip(timeline, wanted, strict=True)
    )


def test_a_steady_stream_passes_at_once() -> None:
    """Nothing is held while nothing is wrong: each piece is recorded as it comes."""
    watched = Watched()
    watched.speak(3)
    assert watched.timeline == [(True, 160)] * 150


@pytest.mark.guarantee("A54")
@pytest.mark.parametrize("pause", [1.1, 7.0, 300.0])
def test_time_that_was_left_out_is_missing(pause: float) -> None:
    """A call on hold, whose phone system sends nothing: what follows stands where it was said."""
    watched = Watched()
    watched.speak(2)
    watched.wait(pause)
    watched.speak(2)
    assert near(watched.end(), [(True, 2), (False, pause), (True, 2)])


@pytest.mark.guarantee("A54")
@pytest.mark.parametrize("stall", [1.2, 4.0, 19.0, 60.0])
def test_a_networks_backlog_is_no_gap(stall: float) -> None:
    """Nothing came, and then all of it at once: no time is missing, and none is added."""
    watched = Watched()
    watched.speak(2)
    watched.wait(stall)
    watched.speak(stall, faster=50)
    watched.speak(2)
    assert near(watched.end(), [(True, 4 + stall)])


def test_a_slow_backlog_is_waited_for() -> None:
    """It comes at three times the pace of speech: each half second of it is waited for."""
    watched = Watched()
    watched.speak(2)
    watched.wait(3)
    watched.speak(4.5, faster=3)
    watched.speak(2)
    assert near(watched.end(), [(True, 8.5)])


def test_half_of_the_backlog_lost_is_half_a_gap() -> None:
    """The sender had room for two seconds of the six: the rest is missing."""
    watched = Watched()
    watched.speak(2)
    watched.wait(6)
    watched.speak(2, faster=50)
    watched.speak(2)
    assert near(watched.end(), [(True, 2), (False, 4), (True, 4)])


def test_a_short_silence_is_none() -> None:
    watched = Watched()
    watched.speak(2)
    watched.wait(0.8)
    watched.speak(2)
    assert near(watched.end(), [(True, 4)])


def test_one_who_sends_faster_than_spoken_owes_nothing() -> None:
    """A recording played in at ten times its pace, with a rest: no clock runs against it."""
    watched = Watched()
    watched.speak(20, faster=10)
    watched.wait(5)
    watched.speak(20, faster=10)
    assert near(watched.end(), [(True, 40)])


def test_a_flood_after_a_stall_is_not_held_without_end() -> None:
    """Ten minutes at once: no more than a few seconds of them wait."""
    watched = Watched()
    watched.speak(1)
    watched.wait(2)
    sent = passed = 0
    for _ in range(30_000):
        sent += 160
        passed += sum(one.samples for one in watched.pace.arrived(PIECE, watched.now))
        assert sent - passed <= MOST_HELD_SECONDS * 8000
    assert sent - passed == 0


@given(st.lists(st.tuples(st.floats(0, 4), st.floats(0.02, 2)), max_size=12))
def test_no_sample_is_dropped_or_doubled(stretches: list[tuple[float, float]]) -> None:
    """Whatever the pauses: all that came is recorded once and in order."""
    watched = Watched()
    sent = 0
    for pause, speech in stretches:
        watched.wait(pause)
        watched.speak(speech)
        sent += round(speech / TWENTY_MS) * 160
    watched.end()
    assert sum(samples for heard, samples in watched.timeline if heard) == sent
