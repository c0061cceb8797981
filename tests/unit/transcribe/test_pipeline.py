"""What is around a model, with one that stops too early: nothing that was said is lost, nor told twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from otokura.transcribe import voice
from otokura.transcribe.alignment import AlignedWord, Stretch
from otokura.transcribe.chunks import Batching
from otokura.transcribe.engine import SAMPLE_RATE, Description, Floats
from otokura.transcribe.pipeline import SpeechEngine
from otokura.transcribe.recogniser import Decoded

STRETCHES = [Stretch(0, 2000), Stretch(5000, 11_000), Stretch(20_000, 21_000)]


class StopsEarly:
    """A model that takes the first so many seconds for all."""

    batching = Batching(most_ms=80_000, least_ms=0, parallel=2)

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self.chunks: list[float] = []

    def describe(self) -> Description:
        return Description(name="early", model="none", languages=frozenset({"en"}))

    def languages(self, speech: Floats) -> dict[str, float]:
        del speech
        return {"en": 1.0}

    def decode(self, chunks: Sequence[Floats], language: str, vocabulary: Sequence[str]) -> list[Decoded]:
        del language, vocabulary
        self.chunks += [len(chunk) / SAMPLE_RATE for chunk in chunks]
        return [Decoded(self._words(chunk), -0.2, 0.1, 1.0) for chunk in chunks]

    def _words(self, chunk: Floats) -> list[AlignedWord]:
        """A word a second that tells what the audio there is."""
        whole = int(min(len(chunk) / SAMPLE_RATE, self.seconds))
        return [
            AlignedWord(f" {chunk[n * SAMPLE_RATE]:.2f}", 1000 * n, 1000 * n + 1000, 0.9)
            for n in range(whole)
        ]


@pytest.fixture(autouse=True)
def _stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "find", lambda _: STRETCHES)


def heard(model: StopsEarly) -> list[tuple[str, int]]:
    """Text and start of every word; the audio is 0.01 louder each second."""
    audio = np.repeat(np.arange(22) * 328, SAMPLE_RATE).astype(np.int16)
    [segments] = SpeechEngine(model).hear([audio], "en")
    return [(word.text.strip(), word.start_ms) for segment in segments for word in segment.words]


@pytest.mark.guarantee("T58")
@pytest.mark.parametrize(
    ("seconds", "again", "lost"),
    [(30, [], []), (8, [1], []), (6, [1], [9, 10]), (4, [4, 1], []), (2, [6, 4, 1], [9, 10])],
)
def test_what_a_model_passed_over_is_heard_by_itself(seconds: int, again: list[int], lost: list[int]) -> None:
    """Whole stretches, and of one with words what follows them, unless it may be a pause: two seconds."""
    model = StopsEarly(seconds)
    said = [second for second in (0, 1, *range(5, 11), 20) if second not in lost]
    assert heard(model) == [(f"{second / 100:.2f}", second * 1000) for second in said]
    assert sorted(model.chunks) == sorted([9, *again])


def test_what_gives_hardly_a_word_however_often_it_is_heard_is_left_alone() -> None:
    """Noise, in which a model finds a short word at the beginning of whatever it is given."""

    class FindsAWord(StopsEarly):
        def _words(self, chunk: Floats) -> list[AlignedWord]:
            del chunk
            return [AlignedWord(" oh", 0, 300, 0.9)]

    model = FindsAWord(0)
    heard(model)
    assert sorted(model.chunks, reverse=True) == pytest.approx([9, 6, 5.7, 1])


@pytest.mark.guarantee("T58")
def test_where_nothing_was_understood_each_stretch_gets_its_chance() -> None:
    model = StopsEarly(0)
    assert heard(model) == []
    assert sorted(model.chunks) == [1, 2, 6, 9]
