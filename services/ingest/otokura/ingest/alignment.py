"""Channels that come apart, put together: each piece of audio names its channel and its place.

A dialect that sends each leg by itself (Twilio) loses, repeats and reorders pieces, and its legs are timed by
clocks of their own. `Aligner` gives back interleaved frames in order. Pure: no clock, no network. Places are
samples per channel from the start of the connection.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field

from otokura.ingest.audio_format import StreamFormat
from otokura.ingest.errors import MalformedAudio

WINDOW_SECONDS = 0.5
"""How long a piece may be late before its place becomes a gap."""
TOLERANCE_SECONDS = 0.01
"""A piece that is off its place by less follows the one before: clocks jitter and round."""
BACKWARDS_SECONDS = 5
"""A piece that is later than this is no late piece: its timestamps start anew, and dropping all that follows
would lose it silently."""


@dataclass(frozen=True)
class Frames:
    """Interleaved frames; `absent` lists (channel, offset, samples) that are silence for want of audio."""

    data: bytes
    samples: int
    absent: list[tuple[int, int, int]]


@dataclass(frozen=True)
class Hole:
    """A span in which no channel has anything."""

    samples: int


Piece = tuple[int, bytes]
"""Where it starts, and its samples."""


@dataclass
class _Channel:
    """One channel's pieces that were not given back yet: in order, never overlapping."""

    pieces: list[Piece] = field(default_factory=list[Piece])
    expected: int = 0
    """Where the next piece begins if it follows the last one."""
    offset: int = 0
    """How far the last piece's own time was from its place."""
    drift: int = 0


class Aligner:
    """Collects pieces of single channels.

    Args:
        fmt: of the pieces, and of the frames that are given back.
    """

    def __init__(self, fmt: StreamFormat) -> None:
        self._format = fmt
        self._width = fmt.sample_bytes
        self._channels = [_Channel() for _ in range(fmt.channels)]
        self._window = round(WINDOW_SECONDS * fmt.rate)
        self._tolerance = round(TOLERANCE_SECONDS * fmt.rate)
        self._backwards = BACKWARDS_SECONDS * fmt.rate
        self._batch = fmt.rate // 5
        self._base = 0
        self.late = 0
        """Samples that came after their place had been given back, or twice; they were dropped."""

    @property
    def drift(self) -> list[int]:
        """Per channel, samples inserted (+) or dropped (-) because its clock differs from its count."""
        return [channel.drift for channel in self._channels]

    @property
    def holds(self) -> bool:
        """Whether a piece waits for others."""
        return any(channel.pieces for channel in self._channels)

    @property
    def reach(self) -> int:
        """The end of the latest piece."""
        return max(self._base, *(channel.expected for channel in self._channels))

    def place(self, channel: int, start: int, data: bytes) -> None:
        """Put a piece where it belongs; what is already there, or was given back, stays as it is.

        Raises:
            MalformedAudio: the place lies seconds before what is already given back.
        """
        if start < self._base - self._backwards:
            raise MalformedAudio("The audio's timestamps go back by seconds. Open a new connection to go on.")
        into = self._channels[channel]
        start = self._settle(into, start, len(data) // self._width)
        end = start + len(data) // self._width
        if start < self._base:
            data = data[(self._base - start) * self._width :]
            self.late += min(end, self._base) - start
            start = self._base
        for free_start, free_stop in self._free(into, start, end):
            part = data[(free_start - start) * self._width : (free_stop - start) * self._width]
            if into.pieces and into.pieces[-1][0] < free_start:
                into.pieces.append((free_start, part))
            else:
                insort(into.pieces, (free_start, part))
        into.expected = max(into.expected, end)

    def _settle(self, channel: _Channel, start: int, samples: int) -> int:
        """The place of a piece: after the one before if its own time is near that, else as it says."""
        offset = start - channel.expected
        step, channel.offset = offset - channel.offset, offset
        if abs(offset) < self._tolerance:
            return channel.expected
        if abs(step) >= self._tolerance:
            # A jump: something between is lost, or this one is late or a repetition.
            channel.offset = 0 if offset > 0 else channel.offset - step
            return start
        # Its clock crept away from its count of samples: the place is corrected once, and that is told.
        channel.offset = 0
        channel.drift += max(offset, -samples)
        return start

    def _free(self, channel: _Channel, start: int, stop: int) -> list[tuple[int, int]]:
        """The parts of [start, stop) that no piece fills."""
        free: list[tuple[int, int]] = []
        for piece_start, piece in channel.pieces:
            piece_stop = piece_start + len(piece) // self._width
            if piece_stop <= start:
                continue
            if piece_start >= stop:
                break
            if start < piece_start:
                free.append((start, piece_start))
            self.late += min(piece_stop, stop) - max(piece_start, start)
            start = piece_stop
        if start < stop:
            free.append((start, stop))
        return free

    def take(self, *, least: int | None = None, everything: bool = False) -> list[Frames | Hole]:
        """What can be given back now: complete in every channel, or so old that nothing more is expected.

        Args:
            least: fewer samples are left for the next time; by default those of a fifth of a second.
            everything: also that which a channel lacks and may still get: it is a gap then.
        """
        limit = self.reach if everything else self._ripe()
        if limit - self._base < (least or (1 if everything else self._batch)):
            return []
        due = [self._split(channel, limit) for channel in self._channels]
        taken: list[Frames | Hole] = []
        for start, stop, empty in self._spans(due, limit):
            taken.append(Hole(stop - start) if empty else self._frames(due, start, stop))
        self._base = limit
        return taken

    def _ripe(self) -> int:
        complete = min(self._front(channel) for channel in self._channels)
        return max(complete, self.reach - self._window)

    def _front(self, channel: _Channel) -> int:
        """The end of what is contiguous from the base on."""
        front = self._base
        for start, piece in channel.pieces:
            if start > front:
                break
            front = start + len(piece) // self._width
        return front

    def _split(self, channel: _Channel, limit: int) -> list[Piece]:
        """Take the pieces before `limit` out of a channel; one that crosses it is divided."""
        due: list[Piece] = []
        kept: list[Piece] = []
        for start, data in channel.pieces:
            inside = max(0, limit - start) * self._width
            if inside:
                due.append((start, data[:inside]))
            if inside < len(data):
                kept.append((max(start, limit), data[inside:]))
        channel.pieces = kept
        return due

    def _spans(self, due: list[list[Piece]], limit: int) -> list[tuple[int, int, bool]]:
        """[base, limit) as (start, stop, whether every channel lacks it): short holes do not divide it."""
        spans: list[tuple[int, int, bool]] = []
        begun = edge = self._base
        ends = sorted((start, start + len(data) // self._width) for pieces in due for start, data in pieces)
        for start, stop in [*ends, (limit, limit)]:
            if start - edge > self._window:
                spans += [(begun, edge, False)] * (edge > begun) + [(edge, start, True)]
                begun = start
            edge = max(edge, stop)
        return spans + [(begun, limit, False)] * (limit > begun)

    def _frames(self, due: list[list[Piece]], start: int, stop: int) -> Frames:
        """Interleave [start, stop)."""
        woven = bytearray(self._format.silence(stop - start))
        absent: list[tuple[int, int, int]] = []
        for number, pieces in enumerate(due):
            edge = start
            for at, data in pieces:
                if not start <= at < stop:
                    continue
                if at > edge:
                    absent.append((number, edge - start, at - edge))
                self._weave(woven, number, at - start, data)
                edge = at + len(data) // self._width
            if edge < stop:
                absent.append((number, edge - start, stop - edge))
        return Frames(bytes(woven), stop - start, absent)

    def _weave(self, woven: bytearray, channel: int, offset: int, data: bytes) -> None:
        """Write one channel's samples between those of the others."""
        width, stride = self._width, self._format.frame_bytes
        first = offset * stride + channel * width
        last = first + (len(data) // width - 1) * stride + width
        for byte in range(width):
            woven[first + byte : last : stride] = data[byte::width]
