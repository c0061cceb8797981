"""Which samples of a recording are redacted, and what stands in their places. Pure functions of numbers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from otokura.access.reads.views import Cover
from otokura.shared.errors import IntegrityError
from otokura.shared.redacted import redacted
from otokura.shared.transcripts import Transcript

Span = tuple[int, int]
"""Samples [first, stop) of one channel."""

TONE_HERTZ = 1000
_TONE_PEAK = 1036
"""−30 dB of full scale: heard as covered, and no louder than speech."""
_MS_PER_SECOND = 1000


def spans_of(transcript: Transcript, rate: int, channels: int) -> list[list[Span]]:
    """For each channel the samples that are redacted, in order, those that touch made one.

    They are those that `otokura.shared.redacted` lists, each in the channel whose words it hides: what the
    other party repeats, or an echo that is heard as words, has a redaction of its own.

    Raises:
        ValueError: the transcript cannot be redacted.
        IntegrityError: it names a channel that the recording does not have.
    """
    without = redacted(transcript)
    found: list[list[Span]] = [[] for _ in range(channels)]
    for one in without.redactions or ():
        channel = without.turns[one.turn].channel
        if channel >= channels:
            raise IntegrityError("The transcript has more channels than the recording.")
        first = one.start_ms * rate // _MS_PER_SECOND
        found[channel].append((first, -(-one.end_ms * rate // _MS_PER_SECOND)))
    return [_joined(spans) for spans in found]


def _joined(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for first, stop in sorted(spans):
        if joined and first <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], stop)
        else:
            joined.append((first, stop))
    return joined


class Covering:
    """Covers spans in blocks of a recording, wherever a block begins: the same samples each time.

    Args:
        spans: for each channel, as `spans_of` gives them.
        cover: what takes the place of the samples.
        rate: samples a second.
    """

    def __init__(self, spans: Sequence[Sequence[Span]], cover: Cover, rate: int) -> None:
        self._spans = spans
        self._stops = [[stop for _, stop in channel] for channel in spans]
        self._cover = cover
        self._rate = rate

    def apply(self, start: int, pcm: bytes) -> bytes:
        """A block without what is redacted.

        Args:
            start: the number of its first sample.
            pcm: interleaved samples of all channels, signed 16-bit little-endian.
        """
        samples = np.frombuffer(pcm, "<i2").reshape(-1, len(self._spans)).copy()
        stop = start + len(samples)
        for channel, spans in enumerate(self._spans):
            for number in range(bisect_right(self._stops[channel], start), len(spans)):
                first, end = max(spans[number][0], start), min(spans[number][1], stop)
                if first >= stop:
                    break
                samples[first - start : end - start, channel] = self._instead(first, end)
        return samples.tobytes()

    def _instead(self, first: int, stop: int) -> NDArray[np.int16]:
        if self._cover is Cover.SILENCE:
            return np.zeros(stop - first, np.int16)
        # By the number of the sample: a tone that is heard in two ranges goes on where it was.
        phase = np.arange(first, stop, dtype=np.int64) * TONE_HERTZ % self._rate / self._rate
        tone: NDArray[np.int16] = np.rint(_TONE_PEAK * np.sin(2 * np.pi * phase)).astype(np.int16)
        return tone
