"""Calls made of human telephone speech: the Asterisk prompts (Allison Smith, CC BY-SA 3.0) from Debian."""

from __future__ import annotations

import gzip
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import fetching
from missing import missing

ROOT = Path(__file__).parents[1]
SOUNDS = ROOT / ".cache" / "sounds"
RATE = 8000
PAUSE_SECONDS = 0.8

PROMPTS = (
    ("demo-congrats", 0),
    ("demo-echotest", 1),
    ("basic-pbx-ivr-main", 0),
    ("demo-moreinfo", 1),
    ("demo-abouttotry", 0),
    ("priv-callee-options", 1),
    ("confbridge-mute-extended", 0),
    ("dir-intro", 1),
    ("demo-nogo", 0),
    ("vm-msginstruct", 1),
    ("tt-allbusy", 0),
    ("vm-options", 1),
    ("vm-record-prepend", 0),
    ("screen-callee-options", 1),
)
"""Sentences rather than menus' fragments, whose printed text is what is spoken; and who "says" each."""


@dataclass(frozen=True)
class PromptCall:
    """A two-channel call.

    Attributes:
        samples: int16 at 8 kHz, shape (samples, 2).
        said: for each channel the text of its prompts.
    """

    samples: NDArray[np.int16]
    said: tuple[str, str]


def fetch() -> Path:
    """The folder of the prompts, fetched when it is not there yet; skips the test where there is no apt."""
    problem = fetching.fetched(SOUNDS, [ROOT / "scripts" / "fetch-sounds"])
    if problem is not None:
        missing(f"no prompts to be had: {problem}")
    return SOUNDS / "usr" / "share" / "asterisk" / "sounds" / "en_US_f_Allison"


def texts() -> dict[str, str]:
    """What each prompt says."""
    listing = SOUNDS / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
    lines = gzip.decompress(listing.read_bytes()).decode().splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line and not line.startswith(";"))
    return {name.strip(): text.strip() for name, text in pairs}


def prompt(name: str) -> NDArray[np.int16]:
    """One prompt, shape (samples,)."""
    with wave.open(str(fetch() / f"{name}.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def prompt_call() -> PromptCall:
    """The prompts one after the other, each on its channel, with line noise."""
    pieces = [(channel, prompt(name)) for name, channel in PROMPTS]
    words = texts()
    pause = round(PAUSE_SECONDS * RATE)
    length = sum(len(samples) + pause for _, samples in pieces) + pause
    call = np.random.default_rng(1).normal(0, 8, (length, 2)).round().astype(np.int16)
    position = pause
    for channel, samples in pieces:
        call[position : position + len(samples), channel] += samples
        position += len(samples) + pause
    said = (" ".join(words[name] for name, channel in PROMPTS if channel == side) for side in (0, 1))
    return PromptCall(call, (next(said), next(said)))
