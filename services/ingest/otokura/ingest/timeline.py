"""A live call's timeline: cutting what comes into segments, and reading spans back.

Pure: no clock, no network. Positions are samples per channel from the start of the call.
"""

from __future__ import annotations

from collections.abc import Iterable

from otokura.ingest.models import Piece
from otokura.shared.manifest import Gap


class SegmentCutter:
    """Collects interleaved PCM and gives it back in segments.

    Args:
        frame_bytes: bytes of one sample of every channel.
        segment_samples: samples per channel of a full segment.
    """

    def __init__(self, frame_bytes: int, segment_samples: int) -> None:
        self._frame = frame_bytes
        self._full = frame_bytes * segment_samples
        self._held = bytearray()

    @property
    def held_samples(self) -> int:
        """Samples per channel that wait for the rest of their segment."""
        return len(self._held) // self._frame

    def push(self, pcm: bytes) -> None:
        """Add whole frames."""
        self._held += pcm

    def full(self) -> bytes | None:
        """The next full segment, if there is one."""
        return self._take(self._full) if len(self._held) >= self._full else None

    def rest(self, multiple_of: int = 1) -> bytes | None:
        """What is held, cut down to a multiple of so many samples.

        A resume is told in milliseconds, so a segment that ends before the stream does must end on one:
        the odd samples after it are given up here and sent again by the client.
        """
        step = self._frame * multiple_of
        return self._take(len(self._held) // step * step) or None

    def _take(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken


def gaps(pieces: Iterable[tuple[Piece, str | None]]) -> list[Gap]:
    """The spans without audio, neighbours of one reason joined.

    Args:
        pieces: the timeline in order, each piece with the reason why it has no audio, or None.
    """
    found: list[Gap] = []
    for piece, reason in pieces:
        if reason is None:
            continue
        last = found[-1] if found else None
        if last and last.reason == reason and last.start_sample + last.samples == piece.start_sample:
            found[-1] = last.model_copy(update={"samples": last.samples + piece.samples})
        else:
            span = {"start_sample": piece.start_sample, "samples": piece.samples, "reason": reason}
            found.append(Gap.model_validate(span))
    return found


def milliseconds(samples: int, rate: int | None) -> int:
    """Samples as whole milliseconds, rounded down; a call without audio is at 0."""
    return samples * 1000 // rate if rate else 0
