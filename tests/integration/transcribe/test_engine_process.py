"""Whisper in a process of its own: what happens when that process does not behave."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import speech
from freezing import freeze
from otokura.transcribe.engine import SAMPLE_RATE
from otokura.transcribe.engine_process import EngineProcess
from otokura.transcribe.errors import EngineAbsent, EngineFailed
from otokura.transcribe.options import EngineOptions

LONG = speech.sample_call("en-support")[0]
SHORT = LONG[: 8 * SAMPLE_RATE]


def alive(pid: int | None) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the kernel sets no asyncio event
            await asyncio.sleep(0.02)


@pytest.mark.guarantee("T3")
async def test_a_killed_engine_fails_the_request_and_the_next_gets_a_new_one(engine: EngineProcess) -> None:
    await engine.describe()
    first = engine.pid
    assert first is not None
    hearing = asyncio.create_task(engine.hear(LONG, "en"))
    await asyncio.sleep(0.3)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(EngineFailed, match="ended without an answer"):
        await hearing
    assert await engine.hear(SHORT, "en")
    assert engine.pid != first
    assert engine.starts == 2


@pytest.mark.guarantee("T3")
async def test_an_engine_that_hangs_is_killed(model_dir: Path) -> None:
    engine = EngineProcess(model_dir, timeout=5)
    await engine.describe()
    hung = engine.pid
    assert hung is not None
    freeze(hung)
    with pytest.raises(EngineFailed, match="did not answer in 5 seconds"):
        await engine.hear(SHORT, "en")
    assert not alive(hung)
    assert engine.pid is None


@pytest.mark.guarantee("T3")
async def test_a_cancelled_request_leaves_no_answer_for_the_next(engine: EngineProcess) -> None:
    await engine.describe()
    first = engine.pid
    hearing = asyncio.create_task(engine.hear(LONG, "en"))
    await asyncio.sleep(0.3)
    hearing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hearing
    assert not alive(first)
    segments = await engine.hear(SHORT, "en")
    assert max(word.end_ms for segment in segments for word in segment.words) <= 8000


async def test_a_failing_request_does_not_stop_those_that_wait(engine: EngineProcess) -> None:
    with pytest.raises(EngineFailed):
        await engine.hear(SHORT, "no such language")
    assert await engine.hear(SHORT, "en")


async def test_requests_take_turns(engine: EngineProcess) -> None:
    answers = await asyncio.gather(
        engine.hear(SHORT, "en"), engine.languages(SHORT), engine.hear(SHORT, "en")
    )
    assert answers[0] == answers[2]
    assert max(answers[1], key=answers[1].__getitem__) == "en"
    assert engine.starts == 1


@pytest.mark.guarantee("T53")
async def test_a_model_that_cannot_be_loaded_is_told_in_words_and_not_tried_without_end(
    tmp_path: Path,
) -> None:
    engine = EngineProcess(tmp_path)
    await engine.ready()
    for _ in range(3):
        with pytest.raises(EngineAbsent, match=r"cannot load the model .*model\.bin"):
            await engine.describe()
    with pytest.raises(EngineAbsent, match="cannot load the model"):
        await engine.ready()
    assert engine.starts == 1


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2)")
async def test_the_engine_dies_with_the_service_that_started_it(model_dir: Path) -> None:
    program = (
        "import asyncio, pathlib\n"
        "from otokura.transcribe.engine_process import EngineProcess\n"
        "async def main():\n"
        f"    engine = EngineProcess(pathlib.Path({str(model_dir)!r}))\n"
        "    await engine.describe()\n"
        "    print(engine.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    assert service.stdout is not None
    pid = int(await service.stdout.readline())
    assert alive(pid)
    service.kill()
    await service.wait()
    await until(lambda: not alive(pid))


def test_an_engine_whose_service_was_killed_before_it_began_ends_without_a_word() -> None:
    """What it wrote to standard error would stand in the service's log, of which every line is JSON."""
    nobody, options = "-1", EngineOptions(model="unread", name="base").model_dump_json()
    argv = [sys.executable, "-m", "otokura.transcribe.child", options, nobody]
    ended = subprocess.run(argv, capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, b"", b"")


@pytest.mark.slow
@pytest.mark.guarantee("T4")
async def test_the_engines_memory_does_not_grow_with_the_number_of_windows(engine: EngineProcess) -> None:
    """What each thread keeps of its largest batch is the allocator's affair, and there after two windows;
    what is kept after them must not grow."""
    window = np.tile(LONG, 2)[: 120 * SAMPLE_RATE]
    for _ in range(2):
        await engine.hear(window, "en")
    kept = kilobytes(engine.pid, "VmRSS")
    for _ in range(4):
        await engine.hear(window, "en")
    assert kilobytes(engine.pid, "VmRSS") < kept + 80_000
    assert kilobytes(engine.pid, "VmHWM") < 1_000_000


def kilobytes(pid: int | None, field: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(field))
