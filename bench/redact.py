"""How much of what must be redacted is found, and how much of what is found must be: `make bench-redact`.

On the labelled calls of `bench/redaction/calls.jsonl`: as they are written, and, for those that say how they
are spoken, after speech synthesis at telephone quality and Whisper (the bundled model). The held-out part is
apart. `--written` leaves the speech out.

Prints one JSON line: recall and precision by kind. Exits 1 when the recall of card numbers, telephone numbers
or My Numbers is below the bar: in the written part, held out or not, as their kind; in the spoken part as
whatever kind, for what counts is that nobody reads or hears them, and over both parts together, for one miss
among the held-out numbers of a kind is more than two per cent. What was missed is told on the error stream,
of the part that is not held out.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from redaction.labels import LabelledCall, Score, load, score_text
from redaction.spoken import Said, score_speech

import speech
from otokura.shared.events import ChannelRole
from otokura.shared.redactions import RedactionKind, RedactionPolicy
from otokura.shared.transcripts import Turn
from otokura.transcribe.engine_process import EngineProcess
from otokura.transcribe.redaction import find
from otokura.transcribe.turns import merge

ROOT = Path(__file__).parent.parent
BAR = 0.98
BARRED = (RedactionKind.CARD_NUMBER, RedactionKind.PHONE_NUMBER, RedactionKind.MY_NUMBER)
RATE = 8000
AT_ONCE = 16
"""Calls that are heard together, in the batches of the engine."""
VOICES = {"ja": ["mei-high", "mei-low"], "en": ["slt", "rms"]}
EVERYTHING = RedactionPolicy()


def main() -> int:
    """Measures, prints, judges."""
    calls = load()
    line: dict[str, Any] = {"bench": "redact", "bar": BAR}
    reached = True
    for part, held_out in (("developed", False), ("held_out", True)):
        score = written([call for call in calls if call.held_out is held_out])
        line[f"written_{part}"] = score.table()
        reached = reached and all((score.recall(kind) or 0) >= BAR for kind in BARRED)
    if "--written" not in sys.argv:
        spoken = asyncio.run(heard([call for call in calls if call.spoken]))
        line |= {f"spoken_{part}": score.table() for part, score in spoken.items()}
        line["spoken_hidden"] = {kind.value: hidden(kind, spoken.values()) for kind in BARRED}
        reached = reached and min(line["spoken_hidden"].values()) >= BAR
    print(json.dumps(line | {"reached": reached}))
    return 0 if reached else 1


def hidden(kind: RedactionKind, scores: Iterable[Score]) -> float:
    """Which share of the labels of a kind is hidden, over several scores."""
    counts = [(score.hidden[kind], score.labelled[kind]) for score in scores]
    return round(sum(one for one, _ in counts) / sum(labels for _, labels in counts), 4)


def written(calls: Sequence[LabelledCall]) -> Score:
    """The figures of calls as they are written."""
    score = Score()
    for call in calls:
        tell(call, score_text(score, call, find(call.turns(), call.language, EVERYTHING)))
    return score


async def heard(calls: Sequence[LabelledCall]) -> dict[str, Score]:
    """The figures of calls as they are heard, the held-out part apart."""
    scores = {"developed": Score(), "held_out": Score()}
    engine = EngineProcess(speech.engine_options("faster-whisper"))

    async def hear(call: LabelledCall) -> tuple[list[Said], list[Turn]]:
        said, channels = speak(call)
        segments = await asyncio.gather(*(engine.hear(channel, call.language) for channel in channels))
        return said, merge([ChannelRole.AGENT, ChannelRole.CUSTOMER], segments)

    try:
        for first in range(0, len(calls), AT_ONCE):
            some = calls[first : first + AT_ONCE]
            for call, (said, turns) in zip(some, await asyncio.gather(*map(hear, some)), strict=True):
                score = scores["held_out" if call.held_out else "developed"]
                tell(call, score_speech(score, call, said, turns, find(turns, call.language, EVERYTHING)))
    finally:
        await engine.close()
    return scores


def speak(call: LabelledCall) -> tuple[list[Said], list[Any]]:
    """When each turn is said, and the channels as the engine is given them."""
    script: dict[str, Any] = {
        "language": call.language,
        "voices": VOICES[call.language],
        "turns": [
            {"channel": channel, "text": text, "say": say or text, "pause_ms": 500}
            for channel, text, say in zip(call.channels, call.texts, call.says, strict=True)
        ],
    }
    samples = synthesiser().speak(script)
    said = [Said(turn["channel"], turn["start_ms"], turn["end_ms"]) for turn in script["turns"]]
    return said, speech.at_engine_rate(samples.T, RATE)


def synthesiser() -> Any:
    """`examples/make_calls.py`, which speaks the sample calls."""
    name = "make_calls"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / "make_calls.py")
        if spec is None or spec.loader is None:
            raise FileNotFoundError("examples/make_calls.py is not there.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def tell(call: LabelledCall, wrong: Sequence[str]) -> None:
    """Says what was missed or wrong: of held-out calls nobody is to know."""
    if wrong and not call.held_out:
        print(call.id, *wrong, sep=" | ", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
