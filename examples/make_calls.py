"""Makes the sample calls: `python examples/make_calls.py` (needs pyopenjtalk-plus, numpy and av).

Each `calls/<name>.json` says who says what, with the pause before each turn in milliseconds (negative:
the turn begins before the other ended). This script speaks it, writes `calls/<name>.wav` (G.711 µ-law,
8 kHz, channel 0 = agent, channel 1 = customer) and fills in when each turn starts and ends. The same
versions of the synthesisers give the same bytes. Voices and their licences: README.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyopenjtalk

HERE = Path(__file__).resolve().parent
DEBIAN = HERE.parent / ".cache" / "debian"
RATE = 8000
SPEECH_RMS = 2600.0
"""Root mean square of speech, of a 16-bit full scale: about -22 dBFS, a usual telephone level."""
NOISE_RMS = 12.0
"""Line noise: about 47 dB under the speech."""


def flite(text: str, voice: str) -> np.ndarray:
    """English by CMU Flite's `voice`, taken from Debian without installing it: samples at 16 kHz."""
    if not (DEBIAN / "usr/bin/flite").exists():
        fetch = [str(HERE.parent / "scripts/fetch-debian"), str(DEBIAN), "flite", "libflite1"]
        subprocess.run(fetch, check=True)  # noqa: S603 - our own script
    libraries = next(DEBIAN.glob("usr/lib/*/libflite.so.*")).parent
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        command = [str(DEBIAN / "usr/bin/flite"), "-voice", voice, "-t", text, "-o", file.name]
        subprocess.run(command, check=True, env=environment)  # noqa: S603 - texts of our own
        with wave.open(file.name) as speech:
            samples = np.frombuffer(speech.readframes(speech.getnframes()), np.int16)
            return resample(samples.astype(np.float64), speech.getframerate())


def mei(text: str, voice: str) -> np.ndarray:
    """Japanese by the HTS voice "Mei".

    `mei-high` is the voice itself. `mei-low` speaks faster and higher, played slower: pitch and formants
    sink together, as in a larger head, so that it is heard as another person.
    """
    slow_down = {"mei-high": 1.0, "mei-low": 1.16}[voice]
    half_tones = {"mei-high": 0.0, "mei-low": -2.0}[voice]
    samples, rate = pyopenjtalk.tts(text, speed=slow_down, half_tone=half_tones)
    return resample(np.asarray(samples), round(rate / slow_down))


def resample(samples: np.ndarray, rate: int) -> np.ndarray:
    """The telephone's band (about 250 to 3600 Hz) of `samples` at `rate` Hz, as samples at 8 kHz."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    rising = np.clip((hertz - 150) / 150, 0, 1)
    falling = np.clip((3900 - hertz) / 400, 0, 1)
    count = round(len(samples) * RATE / rate)
    band = (spectrum * rising * falling)[: count // 2 + 1]
    return np.asarray(np.fft.irfft(band, count)) * count / len(samples)


def level(samples: np.ndarray) -> np.ndarray:
    """`samples` with the silence at both ends removed, at the level of telephone speech."""
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 0.02)
    speech = samples[loud[0] : loud[-1] + 1]
    # The loudest half of the samples carries the speech; pauses inside a turn do not count.
    strong = np.sort(np.abs(speech))[len(speech) // 2 :]
    return speech * (SPEECH_RMS / float(np.sqrt(np.mean(strong**2))))


def speak(script: dict[str, Any]) -> np.ndarray:
    """The call's samples, shape (2, samples), int16; writes `start_ms` and `end_ms` into the turns."""
    engine = {"ja": mei, "en": flite}[script["language"]]
    placed: list[tuple[int, int, np.ndarray]] = []
    clock = 0
    for turn in script["turns"]:
        voice = script["voices"][turn["channel"]]
        speech = level(engine(turn.get("say", turn["text"]), voice))
        start = clock + turn["pause_ms"] * RATE // 1000
        clock = start + len(speech)
        turn["start_ms"], turn["end_ms"] = start * 1000 // RATE, clock * 1000 // RATE
        placed.append((turn["channel"], start, speech))
    length = clock + RATE
    call = np.random.default_rng(20260401).normal(0.0, NOISE_RMS, (2, length))
    for channel, start, speech in placed:
        call[channel, start : start + len(speech)] += speech
    return np.clip(np.round(call), -32768, 32767).astype(np.int16)


def write_telephone_wav(path: Path, call: np.ndarray) -> None:
    """Writes `call`, shape (channels, samples) of int16 at 8 kHz, as G.711 µ-law in a WAV container."""
    # Without "bitexact" the writer's version would be part of the file.
    with av.open(str(path), "w", format="wav", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("pcm_mulaw", rate=RATE, layout="stereo")
        interleaved = np.ascontiguousarray(call.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout="stereo")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def main() -> None:
    """Speaks every script in `calls/`."""
    for path in sorted((HERE / "calls").glob("*.json")):
        script = json.loads(path.read_text())
        call = speak(script)
        write_telephone_wav(path.with_suffix(".wav"), call)
        turns = ",\n".join("    " + json.dumps(turn, ensure_ascii=False) for turn in script["turns"])
        head = json.dumps({k: v for k, v in script.items() if k != "turns"}, ensure_ascii=False, indent=2)
        path.write_text(head.removesuffix("\n}") + ',\n  "turns": [\n' + turns + "\n  ]\n}\n")
        print(f"{path.stem}: {call.shape[1] / RATE:.1f} s, {path.with_suffix('.wav').stat().st_size} bytes")


if __name__ == "__main__":
    main()
