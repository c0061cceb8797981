"""Whisper in a process of its own: it may crash, hang or be killed, and the service goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from otokura.transcribe import frames
from otokura.transcribe.engine import Description, Pcm16, Segment
from otokura.transcribe.errors import EngineAbsent, EngineFailed
from otokura.transcribe.options import EngineOptions
from otokura.transcribe.together import Together, Waiting

_START_SECONDS = 120.0
# A named model is fetched when the process starts for the first time: gigabytes.
_FETCH_SECONDS = 3600.0
# An engine that cannot start is asked again after this many seconds: each time costs a process.
_PATIENCE_SECONDS = 10.0


class EngineProcess:
    """`RemoteEngine` over `otokura.transcribe.child`: one request at a time, others wait their turn.

    Windows that wait are heard together, whichever channel or call they are from. The process starts with
    the first request. When it dies, answers nonsense, takes longer than it may, or the request is cancelled,
    it is killed; the next request starts a new one.

    Args:
        model: what to start it with; a folder stands for faster-whisper with the model in it.
        threads: CPU threads that the process may use; only with a folder.
        timeout: seconds that one window may take.
    """

    def __init__(self, model: Path | EngineOptions, *, threads: int = 2, timeout: float = 600.0) -> None:
        if isinstance(model, Path):
            model = EngineOptions(model=str(model), name=model.name, threads=threads)
        self._options = model
        self._timeout = timeout
        self._process: Process | None = None
        self._description: Description | None = None
        self._turn = asyncio.Lock()
        self._together = Together(self._hear, self._turn)
        self._absent: EngineAbsent | None = None
        self._next_start = 0.0
        self.starts = 0
        """How many processes were started so far."""

    @property
    def pid(self) -> int | None:
        """The process that listens now, if there is one."""
        return self._process.pid if self._process else None

    async def ready(self) -> None:
        """For the readiness of the service.

        Raises:
            EngineAbsent: the process did not start the last time; the words say why.
        """
        if self._absent is not None:
            raise EngineAbsent(self._absent.detail)

    async def describe(self) -> Description:
        """As `RemoteEngine.describe`; the first time it starts the process.

        Raises:
            EngineAbsent: the model cannot be loaded.
        """
        if self._description is None:
            async with self._turn:
                reply = await self._ask({"do": "describe"})
            self._description = Description.model_validate(reply["description"])
        return self._description

    async def languages(self, audio: Pcm16) -> dict[str, float]:
        """As `RemoteEngine.languages`."""
        async with self._turn:
            reply = await self._ask({"do": "languages"}, audio.tobytes())
        return {str(code): float(probability) for code, probability in reply["languages"].items()}

    async def hear(self, audio: Pcm16, language: str, vocabulary: Sequence[str] = ()) -> list[Segment]:
        """As `RemoteEngine.hear`."""
        return await self._together.hear(Waiting(audio, language, tuple(vocabulary)))

    async def close(self) -> None:
        """Ends the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _hear(self, windows: Sequence[Waiting]) -> list[Any]:
        request = {
            "do": "hear",
            "language": windows[0].language,
            "vocabulary": list(windows[0].vocabulary),
            "samples": [len(window.audio) for window in windows],
        }
        body = b"".join(window.audio.tobytes() for window in windows)
        reply = await self._ask(request, body, windows=len(windows))
        heard: list[Any] = reply.get("heard", [])
        if len(heard) != len(windows):
            raise EngineFailed("The engine's answer is not what an engine answers.")
        return heard

    async def _ask(self, request: frames.Head, body: bytes = b"", *, windows: int = 1) -> frames.Head:
        process = await self._started()
        return await self._exchange(process, frames.pack(request, body), self._timeout * windows)

    async def _started(self) -> Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self.close()
        if self._absent is not None and time.monotonic() < self._next_start:
            raise EngineAbsent(self._absent.detail)
        # The libraries that count threads by themselves (OpenMP, OpenBLAS) are told the same number.
        threads = str(self._options.threads)
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": "1"}
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "otokura.transcribe.child"),
            *(self._options.model_dump_json(), str(os.getpid())),
            stdin=PIPE,
            stdout=PIPE,
            env=environment,
        )
        self.starts += 1
        seconds = _FETCH_SECONDS if self._options.fetched else _START_SECONDS
        head = await self._exchange(self._process, b"", seconds)
        self._absent = EngineAbsent(str(head["missing"])) if "missing" in head else None
        if self._absent is not None:
            self._next_start = time.monotonic() + _PATIENCE_SECONDS
            await self.close()
            raise EngineAbsent(self._absent.detail)
        return self._process

    async def _exchange(self, process: Process, message: bytes, seconds: float) -> dict[str, Any]:
        """Sends `message` and gives the head of the answer; whatever goes wrong ends the process."""
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the engine was started without pipes")
        complete = False
        try:
            async with asyncio.timeout(seconds):
                process.stdin.write(message)
                await process.stdin.drain()
                head, _ = await frames.read_async(process.stdout)
            complete = True
        except TimeoutError:
            raise EngineFailed(f"The engine did not answer in {seconds:g} seconds.") from None
        except (EOFError, OSError, ValueError):
            raise EngineFailed(
                f"The engine's process ended without an answer{await _cause(process)}."
            ) from None
        finally:
            # After a cancellation the answer would meet the next question.
            if not complete:
                await self.close()
        return head


async def _cause(process: Process) -> str:
    """Why the process ended, as far as its status tells; nothing when it has not ended."""
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            status = await process.wait()
        if status == -signal.SIGKILL:
            return " (it was killed: perhaps the machine, or the container, has too little memory)"
        return f" (exit status {status})"
    return ""
