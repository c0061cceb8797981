"""How many seconds of telephone audio a second of two cores transcribes, beside two peers, in one run.

The audio is a two-channel call of eight minutes, made of real telephone prompts at 8 kHz. On the same Whisper
base weights: ours as a worker runs it (windows, voice detection, batches, word times; int8); a plain
faster-whisper loop (int8, greedy, no voice detection, no word times); openai-whisper (float32, greedy), where
`make test-openai` installed it: otherwise its ratio is null. Each runs in a process of its own with two
threads, its model loaded before the clock starts; they take turns, and the best round of each counts, as
machines are shared.

Prints one JSON line; exits 1 below a bar. `wer_delta` is in points against the plain loop, `rss_mb` the most
that our engine's process took, and that listening took in the other.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import sounds
import speech
from otokura.transcribe.engine import SAMPLE_RATE
from otokura.transcribe.engine_process import EngineProcess
from otokura.transcribe.listening import Listener
from process_memory import memory
from scoring import word_error_rate

ROOT = Path(__file__).parent.parent
THREADS = 2
ROUNDS = 2
BARS = {"realtime": 30.0, "ratio_openai": 3.2, "ratio_plain": 1.7, "wer_delta": 0.0, "rss_mb": 1000}
RATIOS = ("ratio_openai", "ratio_plain")
OPENAI = ROOT / ".venv-openai" / "bin" / "python"


def main() -> int:
    """Runs every leg in turns, prints, and says whether the bars are met."""
    legs = {"ours": sys.executable, "plain": sys.executable}
    if (OPENAI.parent.parent / ".openai").exists():
        legs["openai"] = str(OPENAI)
    else:
        print("openai-whisper is not installed, so ratio_openai is null: make test-openai", file=sys.stderr)
    best: dict[str, dict[str, Any]] = {}
    for _ in range(ROUNDS):
        for name, python in legs.items():
            result = run(name, python)
            if name not in best or result["seconds"] < best[name]["seconds"]:
                best[name] = result
    line = figures(best)
    print(json.dumps({"bench": "transcribe", "bars": BARS, "met": met(line), **line}))
    return 0 if met(line) else 1


def run(name: str, python: str) -> dict[str, Any]:
    """One leg, in a process of its own."""
    program = [python, __file__, name]
    answer = subprocess.run(program, check=True, capture_output=True, text=True, timeout=900)  # noqa: S603
    result: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return result


def figures(best: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The line's figures, from the best round of each leg."""
    ours, plain, openai = best["ours"], best["plain"], best.get("openai")
    duration, (first, second) = ours["duration"], sounds.prompt_call().said
    said = f"{first} {second} {second} {first}"
    rates = {name: 100 * word_error_rate(said, result["text"]) for name, result in best.items()}
    return {
        "realtime": round(duration / ours["seconds"], 1),
        "ratio_openai": round(openai["seconds"] / ours["seconds"], 2) if openai else None,
        "ratio_plain": round(plain["seconds"] / ours["seconds"], 2),
        "wer": round(rates["ours"], 2),
        "wer_delta": round(rates["ours"] - rates["plain"], 2),
        "wer_plain": round(rates["plain"], 2),
        "wer_openai": round(rates["openai"], 2) if openai else None,
        "rss_mb": round(ours["rss_mb"]),
        "audio_seconds": round(duration),
    }


def met(line: dict[str, Any]) -> bool:
    """Whether every bar is met; a ratio that could not be measured is none."""
    fast = all(line[name] is None or line[name] >= BARS[name] for name in ("realtime", *RATIOS))
    return bool(fast and line["wer_delta"] <= BARS["wer_delta"] and line["rss_mb"] < BARS["rss_mb"])


def call() -> NDArray[np.int16]:
    """The call, shape (samples, 2) at the engine's rate: the prompts, and again with the voices exchanged."""
    samples = sounds.prompt_call().samples
    both = np.concatenate([samples, samples[:, ::-1]])
    return np.stack(speech.at_engine_rate(both, sounds.RATE), axis=1)


def leg(name: str) -> dict[str, Any]:
    """Transcribes the call once: seconds, the text of both channels, and the memory that it took."""
    audio = call()
    seconds, text, rss_mb = {"ours": ours, "plain": plain, "openai": openai}[name](audio)
    return {"seconds": seconds, "duration": len(audio) / SAMPLE_RATE, "text": text, "rss_mb": rss_mb}


def ours(audio: NDArray[np.int16]) -> tuple[float, str, float]:
    """As a worker does it: blocks of a second into a listener, windows to the engine's process."""

    async def blocks() -> AsyncIterator[NDArray[np.int16]]:
        for start in range(0, len(audio), SAMPLE_RATE):
            yield audio[start : start + SAMPLE_RATE]

    async def work() -> tuple[float, str, float]:
        options = speech.engine_options("faster-whisper").model_copy(update={"threads": THREADS})
        engine = EngineProcess(options)
        await engine.describe()
        # The bench's own memory, with the whole call in it, is not a worker's.
        forget_peak()
        before = memory(os.getpid(), "VmRSS")
        began = time.perf_counter()
        heard = await Listener(engine, audio.shape[1], language="en").listen(blocks())
        seconds = time.perf_counter() - began
        assert engine.pid is not None
        rss_mb = (memory(os.getpid(), "VmHWM") - before + memory(engine.pid, "VmHWM")) / 1e6
        await engine.close()
        words = (word.text for channel in heard.channels for one in channel for word in one.words)
        return seconds, "".join(words), rss_mb

    return asyncio.run(work())


def forget_peak() -> None:
    """From here on `VmHWM` counts anew (proc(5))."""
    Path("/proc/self/clear_refs").write_text("5")


def plain(audio: NDArray[np.int16]) -> tuple[float, str, float]:
    """faster-whisper in a loop over the channels, as its README begins, greedy."""
    from faster_whisper import WhisperModel  # noqa: PLC0415 - only this leg's process needs it

    model = WhisperModel(str(speech.model_dir()), device="cpu", compute_type="int8", cpu_threads=THREADS)
    began = time.perf_counter()
    texts = [
        "".join(segment.text for segment in model.transcribe(channel, language="en", beam_size=1)[0])
        for channel in floats(audio)
    ]
    return time.perf_counter() - began, " ".join(texts), memory(os.getpid(), "VmHWM") / 1e6


def openai(audio: NDArray[np.int16]) -> tuple[float, str, float]:
    """openai-whisper over the channels, greedy."""
    import torch  # noqa: PLC0415 - is in another environment than this file's other legs
    import whisper  # noqa: PLC0415

    torch.set_num_threads(THREADS)
    model = whisper.load_model(str(speech.checkpoint()), device="cpu")
    began = time.perf_counter()
    texts = [
        model.transcribe(channel, language="en", temperature=0.0, fp16=False)["text"]
        for channel in floats(audio)
    ]
    return time.perf_counter() - began, " ".join(texts), memory(os.getpid(), "VmHWM") / 1e6


def floats(audio: NDArray[np.int16]) -> list[NDArray[np.float32]]:
    """The channels as Whisper's libraries take them."""
    return [np.ascontiguousarray(channel, np.float32) / np.float32(32768) for channel in audio.T]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(leg(sys.argv[1])))
    else:
        sys.exit(main())
