"""The engine's own process: `python -m otokura.transcribe.child OPTIONS PARENT`, OPTIONS as JSON.

Takes requests on standard input and answers on standard output (`frames.py`), one at a time. Ends when its
parent does. Says nothing of what it heard anywhere else.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np

from otokura.transcribe import frames
from otokura.transcribe.engine import Engine, Pcm16
from otokura.transcribe.errors import ModelMissing
from otokura.transcribe.options import EngineOptions
from otokura.transcribe.pipeline import SpeechEngine

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Loads the model, says that it is ready or why it is not, and serves."""
    options, parent = EngineOptions.model_validate_json(sys.argv[1]), int(sys.argv[2])
    die_with(parent)
    requests, replies = _take_pipes()
    try:
        engine = load(options)
    except ModelMissing as error:
        _reply(replies, {"missing": error.detail})
        return
    _reply(replies, {"ready": True})
    while (request := frames.read(requests)) is not None:
        _reply(replies, answer(engine, *request))


def load(options: EngineOptions) -> Engine:
    """The engine, ready to hear.

    Raises:
        ModelMissing: the model cannot be loaded; the words say what to do.
    """
    # One of them alone: each brings libraries that the other does not need.
    try:
        if options.engine == "openai-whisper":
            from otokura.transcribe.original import OriginalWhisper  # noqa: PLC0415

            return SpeechEngine(OriginalWhisper(options))
        from otokura.transcribe.faster import FasterWhisper  # noqa: PLC0415

        return SpeechEngine(FasterWhisper(options))
    except ModelMissing:
        raise
    except Exception as error:  # noqa: BLE001 - libraries raise anything over a model they cannot load
        raise ModelMissing(
            f"{options.engine} cannot load the model {options.name} (device {options.device}, "
            f"compute type {options.compute_type}): {error}"
        ) from None


def answer(engine: Engine, head: frames.Head, body: bytes) -> frames.Head:
    """The reply to one request: `{"description": …}`, `{"languages": …}` or `{"heard": …}`."""
    if head["do"] == "describe":
        return {"description": engine.describe().model_dump(mode="json")}
    if head["do"] == "languages":
        return {"languages": engine.languages(np.frombuffer(body, np.int16))}
    audios = list(_cut(np.frombuffer(body, np.int16), head["samples"]))
    heard = engine.hear(audios, head["language"], head["vocabulary"])
    return {"heard": [[segment.model_dump() for segment in segments] for segments in heard]}


def die_with(parent: int) -> None:
    """Has the kernel end this process with its parent, even when the parent is killed (Linux, prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)  # without a word: the log that it would stand in is JSON, and nobody waits for a reply


def _cut(samples: Pcm16, lengths: Sequence[int]) -> Iterator[Pcm16]:
    """The audios that lie one after the other in `samples`."""
    start = 0
    for length in lengths:
        yield samples[start : start + length]
        start += length


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for us alone: what a library prints goes to standard error."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, replies


def _reply(replies: BinaryIO, head: frames.Head) -> None:
    replies.write(frames.pack(head))
    replies.flush()


if __name__ == "__main__":
    main()
