"""The engine's own process: `python -m otokura.transcribe.child FOLDER THREADS PARENT`.

Takes requests on standard input and answers on standard output (`frames.py`), one at a time. Ends when its
parent does. Says nothing of what it heard anywhere else.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np

from otokura.transcribe import frames
from otokura.transcribe.engine import Engine
from otokura.transcribe.whisper import WhisperEngine

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Loads the model, says that it is ready, and serves."""
    folder, threads, parent = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    die_with(parent)
    requests, replies = _take_pipes()
    engine = WhisperEngine(folder, threads)
    _reply(replies, {"ready": True})
    while (request := frames.read(requests)) is not None:
        _reply(replies, answer(engine, *request))


def answer(engine: Engine, head: frames.Head, body: bytes) -> frames.Head:
    """The reply to one request: `{"description": …}`, `{"languages": …}` or `{"segments": …}`."""
    if head["do"] == "describe":
        return {"description": engine.describe().model_dump(mode="json")}
    audio = np.frombuffer(body, np.int16)
    if head["do"] == "languages":
        return {"languages": engine.languages(audio)}
    segments = engine.hear(audio, head["language"], head["vocabulary"])
    return {"segments": [segment.model_dump() for segment in segments]}


def die_with(parent: int) -> None:
    """Has the kernel end this process with its parent, even when the parent is killed (Linux, prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent is gone already")


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
