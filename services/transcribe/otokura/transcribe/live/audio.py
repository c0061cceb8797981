"""One channel's audio that is not final text yet, at the engine's rate."""

from __future__ import annotations

from collections import deque

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from otokura.shared.media.g711 import decode_alaw, decode_mulaw
from otokura.transcribe.engine import SAMPLE_RATE, Pcm16

LONGEST_MS = 25_000
"""More than this is never kept: Whisper hears 30 s at once, and what is older is not live."""
JOINED_MS = 500
"""A hole up to this is filled with silence; over a longer one no sentence goes on."""


def channels_of(data: bytes, encoding: str, channels: int) -> NDArray[np.int16]:
    """Interleaved samples as they came over the wire, as int16, shape (channels, samples).

    Raises:
        ValueError: the bytes are no whole number of frames.
    """
    if encoding == "pcm_s16le":
        samples = np.frombuffer(data, "<i2").astype(np.int16)
    else:
        samples = decode_mulaw(data) if encoding == "mulaw" else decode_alaw(data)
    return np.ascontiguousarray(samples.reshape(-1, channels).T)


class Stretch:
    """Audio without a hole, of which the beginning is dropped when it is not needed any more.

    Attributes:
        begin_ms: where it begins on the call's clock.
        complete: nothing will be added.
        fresh_ms: how much was added since `window` was last taken.
    """

    def __init__(self, begin_ms: int, rate: int) -> None:
        self.begin_ms = begin_ms
        self.complete = False
        self.fresh_ms = 0
        self._rate = rate
        self._resampler = None if rate == SAMPLE_RATE else AudioResampler("s16", "mono", SAMPLE_RATE)
        self._audio: Pcm16 = np.zeros(0, np.int16)

    @property
    def length_ms(self) -> int:
        """How much is held."""
        return len(self._audio) * 1000 // SAMPLE_RATE

    @property
    def end_ms(self) -> int:
        """Where it ends on the call's clock."""
        return self.begin_ms + self.length_ms

    def add(self, samples: Pcm16) -> int:
        """Adds samples at the stretch's own rate; gives the ms that had to be dropped at the beginning."""
        before = self.length_ms
        self._audio = np.concatenate((self._audio, self._resampled(samples)))
        self.fresh_ms += self.length_ms - before
        too_many = self.length_ms - LONGEST_MS
        if too_many <= 0:
            return 0
        self.drop_before(self.begin_ms + too_many)
        return too_many

    def drop_before(self, time_ms: int) -> None:
        """Forgets what came before a time; nothing when it is already forgotten."""
        surplus = min(time_ms - self.begin_ms, self.length_ms)
        if surplus > 0:
            self._audio = self._audio[surplus * SAMPLE_RATE // 1000 :].copy()
            self.begin_ms += surplus

    def window(self) -> Pcm16:
        """All that is held, to be heard."""
        self.fresh_ms = 0
        return self._audio

    def _resampled(self, samples: Pcm16) -> Pcm16:
        if self._resampler is None:
            return samples
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "mono")
        frame.sample_rate = self._rate
        pieces = [out.to_ndarray().reshape(-1) for out in self._resampler.resample(frame)]
        return np.concatenate([np.zeros(0, np.int16), *pieces]).astype(np.int16, copy=False)


class ChannelAudio:
    """The stretches of one channel that are not done with; the first is heard.

    Args:
        through_ms: audio before this is not wanted: it is final text already.
    """

    def __init__(self, through_ms: int) -> None:
        self._through_ms = through_ms
        self._stretches: deque[Stretch] = deque()
        self.dropped_ms = 0

    @property
    def first(self) -> Stretch | None:
        """What is to be heard now."""
        return self._stretches[0] if self._stretches else None

    @property
    def end_ms(self) -> int:
        """Where the audio ends."""
        return self._stretches[-1].end_ms if self._stretches else self._through_ms

    def add(self, start_ms: int, samples: Pcm16, rate: int) -> None:
        """Adds samples at a place; those before the end are there already, sent by an earlier connection."""
        late = self.end_ms - start_ms
        if late > 0:
            samples = samples[late * rate // 1000 :]
            start_ms = self.end_ms
        if not len(samples):
            return
        last = self._stretches[-1] if self._stretches else None
        hole = start_ms - last.end_ms if last else 0
        if last is None or last.complete or hole > JOINED_MS:
            self.complete()
            last = Stretch(start_ms, rate)
            self._stretches.append(last)
        elif hole > 0:
            samples = np.concatenate((np.zeros(hole * rate // 1000, np.int16), samples))
        self.dropped_ms += last.add(samples)

    def complete(self) -> None:
        """Nothing follows what is held: a hole, or the end of the call."""
        if self._stretches:
            self._stretches[-1].complete = True

    def done(self) -> None:
        """The first stretch is complete and was heard to its end."""
        self._through_ms = max(self._through_ms, self._stretches.popleft().end_ms)
