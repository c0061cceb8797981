"""Time that a phone system leaves out: streams of nothing but samples, held against the clock.

Some send no frames while a call is on hold, muted or paused. Written one after the other, the samples before
and after would close up, and everything after would stand too early. When nothing came for a second, what
comes next is held for a moment: if it is a late network's backlog it comes faster than it was spoken and
fills the time; if not, the time is a gap. Pure: the clock is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from otokura.ingest.alignment import Frames, Hole
from otokura.ingest.audio_format import StreamFormat

STALL_SECONDS = 1.0
"""Without a frame for so long something is wrong, or left out: 20 ms are usual."""
SETTLE_SECONDS = 0.5
"""How long a backlog gets to show itself; as often again as it keeps coming faster than spoken."""
LEAST_SECONDS = 0.5
"""Less is a late frame."""
MOST_HELD_SECONDS = 20.0
"""So much at once is a backlog, whatever may follow."""
_BACKLOG = 1.5


@dataclass
class _Settling:
    """What came since a stall."""

    lead: float
    """By how much the stream was ahead of the clock before it."""
    until: float
    window: int = 0
    """Samples of the current window."""
    held: list[Frames | Hole] = field(default_factory=list[Frames | Hole])
    samples: int = 0


class Pace:
    """Watches one stream.

    Args:
        fmt: of its frames.
    """

    def __init__(self, fmt: StreamFormat) -> None:
        self._format = fmt
        self._received = 0
        self._usual = 0.0
        self._last: float | None = None
        self._settling: _Settling | None = None

    def arrived(self, data: bytes, now: float) -> list[Frames | Hole]:
        """Take whole frames; what is to be recorded now, in order.

        Args:
            data: the frames.
            now: in seconds, on a clock that never goes back.
        """
        due = self.due(now)
        samples = len(data) // self._format.frame_bytes
        if self._last is None:
            self._usual = samples / self._format.rate - now
        elif self._settling is None and now - self._last >= STALL_SECONDS:
            # One who sends faster than is spoken owes nothing while the clock catches up.
            lead = min(self._lead(self._last), self._usual)
            self._settling = _Settling(lead, now + SETTLE_SECONDS)
        self._last = now
        self._received += samples
        frames = Frames(data, samples, [])
        if self._settling is None:
            return [*due, frames]
        self._settling.held.append(frames)
        self._settling.samples += samples
        self._settling.window += samples
        if self._settling.samples > MOST_HELD_SECONDS * self._format.rate:
            due += self._settling.held
            self._settling = None
        return due

    def release(self) -> list[Frames | Hole]:
        """Decide now, by what has come: the gap, if there is one, and what was held."""
        settling, self._settling = self._settling, None
        if settling is None or self._last is None:
            return []
        missing = settling.lead - self._lead(self._last)
        if missing < LEAST_SECONDS:
            return settling.held
        samples = round(missing * self._format.rate)
        self._received += samples
        return [Hole(samples), *settling.held]

    def due(self, now: float) -> list[Frames | Hole]:
        """What is to be recorded by now. A window is followed by another while a backlog comes."""
        settling = self._settling
        if settling is None or self._last is None or now < settling.until:
            return []
        backlog = settling.window > _BACKLOG * SETTLE_SECONDS * self._format.rate
        if backlog and now - self._last < SETTLE_SECONDS:
            settling.window, settling.until = 0, now + SETTLE_SECONDS
            return []
        return self.release()

    def _lead(self, now: float) -> float:
        return self._received / self._format.rate - now
