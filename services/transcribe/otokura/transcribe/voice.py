"""Where somebody speaks: Silero VAD, and the stretches of speech made of what it believes.

Every engine hears through these stretches, so that engines differ in what they understand and not in what
they are given. Only an engine's own process imports this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from faster_whisper import vad as untyped_vad

from otokura.transcribe.alignment import Stretch
from otokura.transcribe.chunks import LONGEST_MS as LONGEST_CHUNK_MS
from otokura.transcribe.engine import SAMPLE_RATE, Floats

_WINDOW = 512
"""Samples that the detection judges at once: 32 ms."""
_WINDOW_MS = _WINDOW * 1000 // SAMPLE_RATE
# Silero's own thresholds: speech begins above the one and goes on until it falls below the other.
_BEGINS = 0.5
_ENDS = 0.35
# Half a second of silence ends a stretch of speech: shorter misses turns, longer keeps silence in, where
# Whisper invents text.
_MIN_SILENCE_MS = 500
# What is kept before and after: soft beginnings and endings of words.
_PAD_MS = 400
_BREATH = 2
"""Windows on either side of a cut that have to be quiet too: 160 ms in all."""
LONGEST_MS = LONGEST_CHUNK_MS - 1000
"""No stretch is longer, padding included, so that each fits into a chunk."""


def find(samples: Floats) -> list[Stretch]:
    """The stretches of speech in `samples`, shape (n,) for any n, in order, not overlapping."""
    runs = _runs(_probabilities(samples), _power(samples))
    return list(_padded(runs, len(samples) * 1000 // SAMPLE_RATE))


def cut(samples: Floats, stretch: Stretch) -> Floats:
    """The samples of one stretch."""
    return samples[_sample(stretch.start_ms) : _sample(stretch.end_ms)]


def _sample(time_ms: int) -> int:
    return time_ms * SAMPLE_RATE // 1000


@cache
def _detection() -> Any:
    vad: Any = untyped_vad
    return vad.get_vad_model()


def _probabilities(samples: Floats) -> Floats:
    """How likely speech is, window by window."""
    if not samples.any():
        return np.zeros(0, np.float32)
    padded = np.pad(samples, (0, -len(samples) % _WINDOW))
    return np.asarray(_detection()(padded), np.float32).reshape(-1)


def _power(samples: Floats) -> Floats:
    """Mean square of each window."""
    windows = np.pad(samples, (0, -len(samples) % _WINDOW)).reshape(-1, _WINDOW)
    return np.asarray(np.square(windows).mean(axis=1), np.float32)


def _runs(voice: Floats, power: Floats) -> Iterator[tuple[int, int, float]]:
    """Begin, end (in windows) and mean probability of each run of speech; no pause is within one."""
    for start, end in _merged(_spoken(voice)):
        for first, last in _short_enough(power, start, end):
            yield first, last, float(voice[first:last].mean())


def _spoken(voice: Floats) -> Iterator[tuple[int, int]]:
    start: int | None = None
    for window, probability in enumerate(voice):
        if start is None and probability >= _BEGINS:
            start = window
        elif start is not None and probability < _ENDS:
            yield start, window
            start = None
    if start is not None:
        yield start, len(voice)


def _merged(runs: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    pause = _MIN_SILENCE_MS // _WINDOW_MS
    before: tuple[int, int] | None = None
    for run in runs:
        if before is not None and run[0] - before[1] < pause:
            before = (before[0], run[1])
            continue
        if before is not None:
            yield before
        before = run
    if before is not None:
        yield before


def _short_enough(power: Floats, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cuts a run that is longer than may be at its quietest moment: there is a breath, or a stop."""
    longest = (LONGEST_MS - 2 * _PAD_MS) // _WINDOW_MS
    while end - start > longest:
        half = start + longest // 2
        candidates = power[half - _BREATH : start + longest + _BREATH]
        around = np.convolve(candidates, np.ones(2 * _BREATH + 1), "valid")
        cut_at = half + int(np.argmin(around))
        yield start, cut_at
        start = cut_at
    yield start, end


def _padded(runs: Iterator[tuple[int, int, float]], length_ms: int) -> Iterator[Stretch]:
    """Adds the padding; where two runs have less between them than their padding, each takes half."""
    found = list(runs)
    for number, (start, end, voice) in enumerate(found):
        before = found[number - 1][1] * _WINDOW_MS if number else 0
        after = found[number + 1][0] * _WINDOW_MS if number + 1 < len(found) else length_ms
        start_ms, end_ms = start * _WINDOW_MS, min(end * _WINDOW_MS, length_ms)
        room_before = start_ms - before if number == 0 else (start_ms - before) // 2
        room_after = after - end_ms if number + 1 == len(found) else (after - end_ms) // 2
        yield Stretch(start_ms - min(_PAD_MS, room_before), end_ms + min(_PAD_MS, room_after), voice)
