"""A live call's timeline: cutting what comes into segments, and telling its gaps.

Pure: no clock, no network. Positions are samples per channel from the start of the call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from otokura.ingest.models import Piece
from otokura.shared.manifest import Gap


@dataclass(frozen=True)
class Cut:
    """A segment as it was cut: frames as they came, and what single channels lack in it."""

    start_sample: int
    samples: int
    data: bytes
    absent: list[Gap] = field(default_factory=list[Gap])


class SegmentCutter:
    """Collects interleaved frames and gives them back in segments.

    Args:
        frame_bytes: bytes of one sample of every channel.
        segment_samples: samples per channel of a full segment.
        position: where on the timeline the first frame lies.
    """

    def __init__(self, frame_bytes: int, segment_samples: int, position: int = 0) -> None:
        self._frame = frame_bytes
        self._full = frame_bytes * segment_samples
        self._held = bytearray()
        self._start = position
        self._absent: list[Gap] = []

    @property
    def held_samples(self) -> int:
        """Samples per channel that wait for the rest of their segment."""
        return len(self._held) // self._frame

    @property
    def position(self) -> int:
        """Where the next frame will lie."""
        return self._start + self.held_samples

    def push(self, frames: bytes) -> bool:
        """Add whole frames; True when a segment is full."""
        self._held += frames
        return len(self._held) >= self._full

    def lacks(self, absent: Gap) -> None:
        """Note that one channel has no audio in a span of frames that are pushed next."""
        self._absent.append(absent)

    def skip(self, samples: int) -> None:
        """Move on over a span without frames. Nothing may be held."""
        if self._held:
            raise ValueError("frames before a gap must be cut first")
        self._start += samples

    def full(self) -> Cut | None:
        """The next full segment, if there is one."""
        return self._take(self._full) if len(self._held) >= self._full else None

    def rest(self, multiple_of: int = 1) -> Cut | None:
        """What is held, cut down to a multiple of so many samples.

        A resume is told in milliseconds, so a segment that ends before the stream does must end on one:
        the odd samples after it are given up here and sent again by the client.
        """
        step = self._frame * multiple_of
        size = len(self._held) // step * step
        return self._take(size) if size else None

    def _take(self, size: int) -> Cut:
        samples = size // self._frame
        data = bytes(memoryview(self._held)[:size])
        del self._held[:size]
        start, self._start = self._start, self._start + samples
        return Cut(start, samples, data, self._take_absent(self._start))

    def _take_absent(self, stop: int) -> list[Gap]:
        """What lies before `stop`; a span that crosses it is divided."""
        if not self._absent:
            return []
        taken: list[Gap] = []
        kept: list[Gap] = []
        for gap in self._absent:
            end = gap.start_sample + gap.samples
            if gap.start_sample < stop:
                taken.append(gap.model_copy(update={"samples": min(end, stop) - gap.start_sample}))
            if end > stop:
                start = max(gap.start_sample, stop)
                kept.append(gap.model_copy(update={"start_sample": start, "samples": end - start}))
        self._absent = kept
        return taken


def gaps(pieces: Iterable[tuple[Piece, str | None]]) -> list[Gap]:
    """The spans without audio in order, neighbours of one reason and channel joined.

    Args:
        pieces: the timeline in order, each piece with the reason why it has no audio, or None.
    """
    found: list[Gap] = []
    last: dict[tuple[str, int | None], int] = {}
    for piece, reason in pieces:
        for gap in _gaps_of(piece, reason):
            key = (gap.reason, gap.channel)
            index = last.get(key)
            if index is not None and _touch(found[index], gap):
                joined = found[index].samples + gap.samples
                found[index] = found[index].model_copy(update={"samples": joined})
            else:
                last[key] = len(found)
                found.append(gap)
    return sorted(found, key=lambda gap: (gap.start_sample, -1 if gap.channel is None else gap.channel))


def _gaps_of(piece: Piece, reason: str | None) -> list[Gap]:
    if reason is None:
        return [Gap.model_validate(absent) for absent in piece.absent or []]
    span = {"start_sample": piece.start_sample, "samples": piece.samples, "reason": reason}
    return [Gap.model_validate(span)]


def _touch(before: Gap, after: Gap) -> bool:
    return before.start_sample + before.samples == after.start_sample


def milliseconds(samples: int, rate: int | None) -> int:
    """Samples as whole milliseconds, rounded down; a call without audio is at 0."""
    return samples * 1000 // rate if rate else 0
