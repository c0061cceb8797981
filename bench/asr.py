"""How well models hear: WER on telephone prompts and English calls, CER on Japanese calls.

`make bench-asr` takes the bundled Whisper base as int8 and as float32; `MODELS="base large-v3 /models/kotoba"
make bench-asr` takes these too, by name or path as `OTOKURA_MODEL` does. openai-whisper on the same weights
is among them where `make test-openai` installed it. Each hears whole calls as a worker has them heard.

Prints one JSON line; rates in percent. There is no bar: what is good enough is in docs/guarantees.md (T5).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import sounds
import speech
from otokura.transcribe.engine import Pcm16
from otokura.transcribe.engine_process import EngineProcess
from otokura.transcribe.options import EngineOptions
from scoring import character_error_rate, word_error_rate

ROOT = Path(__file__).parent.parent
OPENAI = ROOT / ".venv-openai"
RATES = {"en": ("wer", word_error_rate), "ja": ("cer", character_error_rate)}


def main() -> None:
    """Hears with every model, and prints."""
    models = dict(asyncio.run(scored(one)) for one in chosen())
    if (OPENAI / ".openai").exists():
        program = [str(OPENAI / "bin" / "python"), __file__, "openai"]
        answer = subprocess.run(program, check=True, capture_output=True, text=True)  # noqa: S603
        models |= json.loads(answer.stdout)
    print(json.dumps({"bench": "asr", "models": models}))


def chosen() -> Iterator[EngineOptions]:
    """The bundled model, and what MODELS names."""
    bundled = speech.engine_options("faster-whisper")
    yield bundled
    yield bundled.model_copy(update={"compute_type": "float32"})
    for name in os.environ.get("MODELS", "").split():
        yield EngineOptions(model=name, name=Path(name).name, fetched=not Path(name).is_dir())


def calls() -> Iterator[tuple[str, str, list[Pcm16], list[str]]]:
    """Name, language, channels, and what is said on each."""
    prompts = sounds.prompt_call()
    yield "telephone-prompts", "en", speech.at_engine_rate(prompts.samples, sounds.RATE), list(prompts.said)
    for path in sorted(speech.CALLS.glob("*.json")):
        language = speech.script(path.stem)["language"]
        said = [speech.said(path.stem, channel) for channel in (0, 1)]
        yield path.stem, language, speech.sample_call(path.stem), said


async def scored(options: EngineOptions) -> tuple[str, dict[str, float]]:
    """What the engine and its model are called, and its rate on every call."""
    engine = EngineProcess(options)
    try:
        described = await engine.describe()
        rates: dict[str, float] = {}
        for name, language, channels, said in calls():
            heard = await asyncio.gather(*(engine.hear(channel, language) for channel in channels))
            text = " ".join(
                "".join(word.text for one in segments for word in one.words) for segments in heard
            )
            kind, rate = RATES[language]
            rates[f"{kind} {name}"] = round(100 * rate(" ".join(said), text), 2)
    finally:
        await engine.close()
    return f"{described.name}, {described.model}", rates


if __name__ == "__main__":
    if sys.argv[1:] == ["openai"]:
        print(json.dumps(dict([asyncio.run(scored(speech.engine_options("openai-whisper")))])))
    else:
        main()
