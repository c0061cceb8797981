"""Sounds for the engine: the sample calls, and what is not speech."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from missing import missing
from otokura.transcribe.engine import SAMPLE_RATE, Pcm16, Segment
from otokura.transcribe.options import EngineName, EngineOptions
from otokura.transcribe.weights import ensure_model

ROOT = Path(__file__).parents[1]
CALLS = ROOT / "examples" / "calls"


HearCall = Callable[[str], Awaitable[list[list[Segment]]]]
"""Gives what an engine hears in each channel of a sample call."""


def model_dir() -> Path:
    """Whisper base, put together once for all test runs."""
    return ensure_model(ROOT / ".cache" / "whisper-base")


def checkpoint() -> Path:
    """The same weights for openai-whisper, converted once for all test runs; needs PyTorch."""
    file = ROOT / ".cache" / "whisper-base-openai" / "base.pt"
    if not file.exists():
        # In a process of its own: PyTorch's gigabyte would stay in the tests'.
        converter = ROOT / "tests" / "openai_checkpoint.py"
        subprocess.run([sys.executable, converter, model_dir(), file], check=True)
    return file


def engine_options(name: EngineName) -> EngineOptions:
    """What an engine is started with; skips the test where it is not installed."""
    if name == "faster-whisper":
        return EngineOptions(engine=name, model=str(model_dir()), name="whisper-base")
    if find_spec("whisper") is None:
        missing("openai-whisper is not installed: make test-openai")
    return EngineOptions(engine=name, model=str(checkpoint()), name="whisper-base")


def script(name: str) -> dict[str, Any]:
    """What is said in a sample call; see examples/README.md."""
    found: dict[str, Any] = json.loads((CALLS / f"{name}.json").read_text())
    return found


def said(name: str, channel: int) -> str:
    """All that one channel of a sample call says."""
    return " ".join(turn["text"] for turn in script(name)["turns"] if turn["channel"] == channel)


def sample_call(name: str) -> list[Pcm16]:
    """The channels of a sample call as the engine is given them."""
    with av.open(str(CALLS / f"{name}.wav")) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in _resampled(container.decode(audio=0))]
    return _columns(np.concatenate(frames))


def at_engine_rate(samples: NDArray[np.int16], rate: int) -> list[Pcm16]:
    """The channels of int16 `samples`, shape (samples, 2), at the engine's rate."""
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), "s16", "stereo")
    frame.sample_rate = rate
    return _columns(np.concatenate([out.to_ndarray().reshape(-1) for out in _resampled([frame])]))


def _resampled(frames: Any) -> list[AudioFrame]:
    resampler = AudioResampler("s16", "stereo", SAMPLE_RATE)
    out: list[AudioFrame] = []
    for frame in [*frames, None]:
        out += resampler.resample(frame)
    return out


def _columns(interleaved: NDArray[np.int16]) -> list[Pcm16]:
    return [np.ascontiguousarray(interleaved[channel::2]) for channel in (0, 1)]


def not_speech(seconds: int = 60) -> dict[str, Pcm16]:
    """What a telephone line carries when nobody speaks, by name."""
    time = np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    random = np.random.default_rng(7)

    def tone(*hertz: float) -> NDArray[np.float64]:
        return np.asarray(sum(np.sin(2 * np.pi * one * time) for one in hertz) / len(hertz))

    tremolo = (1 + np.sin(2 * np.pi * 16 * time)) / 2
    sounds = {
        "digital silence": np.zeros_like(time),
        "line noise": random.normal(0, 0.003, len(time)),
        "white noise": random.normal(0, 0.1, len(time)),
        "hum": 0.1 * tone(50, 150),
        "ringback of Japan": 0.3 * tone(400) * tremolo * (time % 3 < 1),
        "ringback of America": 0.3 * tone(440, 480) * (time % 6 < 2),
        "busy": 0.3 * tone(480, 620) * (time % 1 < 0.5),
        "keys": 0.3 * tone(697, 1209) * (time % 2 < 0.2),
        "hold music": 0.3 * _melody(seconds),
    }
    return {name: (sound * 32767).clip(-32768, 32767).astype(np.int16) for name, sound in sounds.items()}


def _melody(seconds: int) -> NDArray[np.float64]:
    """Plucked notes, two a second, with overtones: it passes for a voice with the voice detection."""
    scale = (261.6, 329.6, 392.0, 523.3, 440.0, 349.2, 293.7, 246.9)
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    notes: list[NDArray[np.float64]] = []
    for number in range(2 * seconds):
        pitch = scale[(3 * number + number // 4) % len(scale)]
        partials = (
            loud * np.sin(2 * np.pi * pitch * overtone * time)
            for overtone, loud in ((0.5, 0.6), (1, 1.0), (2, 0.5), (3, 0.3))
        )
        notes.append(np.asarray(sum(partials)) * np.exp(-3 * time) / 2.4)
    return np.concatenate(notes)
