"""Whisper in a process of its own: it may crash, hang or be killed, and the service goes on."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from otokura.transcribe import frames
from otokura.transcribe.engine import Description, Pcm16, Segment
from otokura.transcribe.errors import EngineFailed

_SEGMENTS = TypeAdapter(list[Segment])
_START_SECONDS = 120.0


class EngineProcess:
    """`RemoteEngine` over `otokura.transcribe.child`: one request at a time, others wait their turn.

    The process starts with the first request. When it dies, answers nonsense, takes longer than it may, or
    the request is cancelled, it is killed; the next request starts a new one.

    Args:
        folder: the model.
        threads: CPU threads that the process may use.
        timeout: seconds that one request may take.
    """

    def __init__(self, folder: Path, *, threads: int = 2, timeout: float = 600.0) -> None:
        self._folder = folder
        self._threads = threads
        self._timeout = timeout
        self._process: Process | None = None
        self._description: Description | None = None
        self._turn = asyncio.Lock()
        self.starts = 0
        """How many processes were started so far."""

    @property
    def pid(self) -> int | None:
        """The process that listens now, if there is one."""
        return self._process.pid if self._process else None

    async def describe(self) -> Description:
        """As `RemoteEngine.describe`; the first time it starts the process."""
        if self._description is None:
            reply = await self._ask({"do": "describe"})
            self._description = Description.model_validate(reply["description"])
        return self._description

    async def languages(self, audio: Pcm16) -> dict[str, float]:
        """As `RemoteEngine.languages`."""
        reply = await self._ask({"do": "languages"}, audio)
        return {str(code): float(probability) for code, probability in reply["languages"].items()}

    async def hear(self, audio: Pcm16, language: str, vocabulary: Sequence[str] = ()) -> list[Segment]:
        """As `RemoteEngine.hear`."""
        request = {"do": "hear", "language": language, "vocabulary": list(vocabulary)}
        reply = await self._ask(request, audio)
        try:
            return _SEGMENTS.validate_python(reply["segments"])
        except ValidationError:
            # The validation error quotes its input: what was said must not travel with it.
            raise EngineFailed("The engine's answer is not what an engine answers.") from None

    async def close(self) -> None:
        """Ends the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _ask(self, request: frames.Head, audio: Pcm16 | None = None) -> frames.Head:
        body = b"" if audio is None else audio.tobytes()
        async with self._turn:
            process = await self._started()
            return await self._exchange(process, frames.pack(request, body), self._timeout)

    async def _started(self) -> Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self.close()
        # The libraries that count threads by themselves (OpenMP, OpenBLAS) are told the same number.
        environment = {**os.environ, "OMP_NUM_THREADS": str(self._threads), "OPENBLAS_NUM_THREADS": "1"}
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "otokura.transcribe.child"),
            *(str(self._folder), str(self._threads), str(os.getpid())),
            stdin=PIPE,
            stdout=PIPE,
            env=environment,
        )
        self.starts += 1
        await self._exchange(self._process, b"", _START_SECONDS)
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
            raise EngineFailed("The engine's process ended without an answer.") from None
        finally:
            # After a cancellation the answer would meet the next question.
            if not complete:
                await self.close()
        return head
