"""The committed sample calls are what their scripts say."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import av
import pytest

CALLS = Path(__file__).parents[3] / "examples" / "calls"
NAMES = ["en-support", "ja-support"]


def script(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CALLS / f"{name}.json").read_text())
    return found


def test_every_script_has_its_audio() -> None:
    assert sorted(path.stem for path in CALLS.glob("*.json")) == NAMES
    assert sorted(path.stem for path in CALLS.glob("*.wav")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_audio_is_a_telephone_call_of_the_scripts_length(name: str) -> None:
    with av.open(str(CALLS / f"{name}.wav")) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.sample_rate, stream.channels) == ("pcm_mulaw", 8000, 2)
        milliseconds = sum(frame.samples for frame in container.decode(stream)) // 8
    last = script(name)["turns"][-1]
    assert last["end_ms"] < milliseconds <= last["end_ms"] + 1001


@pytest.mark.parametrize("name", NAMES)
def test_the_speakers_answer_each_other_and_once_interrupt(name: str) -> None:
    turns = script(name)["turns"]
    assert {turn["channel"] for turn in turns} == {0, 1}
    assert [turn["start_ms"] for turn in turns] == sorted(turn["start_ms"] for turn in turns)
    assert any(turn["start_ms"] < before["end_ms"] for before, turn in itertools.pairwise(turns))
