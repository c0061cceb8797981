"""Cutting a channel into windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otokura.transcribe.engine import SAMPLE_RATE, Pcm16
from otokura.transcribe.windows import Window, WindowCutter, quietest


def noise(seconds: float, seed: int = 0) -> Pcm16:
    samples = np.random.default_rng(seed).normal(0, 3000, round(seconds * SAMPLE_RATE))
    return samples.astype(np.int16)


def cut(audio: Pcm16, block: int, limit: int = 4, search: int = 2) -> list[Window]:
    cutter, windows = WindowCutter(limit, search), list[Window]()
    for start in range(0, len(audio), block):
        windows += cutter.push(audio[start : start + block])
    return windows + cutter.flush()


@settings(max_examples=25)
@given(seconds=st.floats(0.01, 15), block=st.integers(100, 6 * SAMPLE_RATE))
def test_windows_joined_are_the_channel(seconds: float, block: int) -> None:
    audio = noise(seconds)
    windows = cut(audio, block)
    assert np.array_equal(np.concatenate([window.audio for window in windows]), audio)
    assert all(len(window.audio) <= 4 * SAMPLE_RATE for window in windows)
    starts = np.cumsum([0] + [len(window.audio) for window in windows[:-1]])
    assert [window.start_ms for window in windows] == [start * 1000 // SAMPLE_RATE for start in starts]


@given(block=st.integers(1000, 3 * SAMPLE_RATE))
@settings(max_examples=10)
def test_how_the_audio_arrives_does_not_change_where_it_is_cut(block: int) -> None:
    audio = noise(13)
    assert [len(w.audio) for w in cut(audio, block)] == [len(w.audio) for w in cut(audio, len(audio))]


def test_a_cut_falls_into_the_silence() -> None:
    audio = noise(6)
    audio[int(2.6 * SAMPLE_RATE) : int(3.2 * SAMPLE_RATE)] = 0
    first = cut(audio, SAMPLE_RATE)[0]
    assert 2.6 * SAMPLE_RATE < len(first.audio) < 3.2 * SAMPLE_RATE


def test_in_uniform_silence_windows_are_as_long_as_may_be() -> None:
    assert quietest(np.zeros(2 * SAMPLE_RATE, np.int16)) > 1.7 * SAMPLE_RATE


def test_no_audio_is_no_window() -> None:
    assert WindowCutter().flush() == []


def test_a_held_tail_does_not_keep_the_window_before_it_alive() -> None:
    cutter = WindowCutter(4, 2)
    cutter.push(noise(4))
    assert cutter._pieces[0].base is None


def test_a_search_as_long_as_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="less than limit_seconds"):
        WindowCutter(4, 4)
