"""Every engine that Otokura can use; the contract holds for each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import speech
from otokura.transcribe.engine import RemoteEngine
from otokura.transcribe.engine_process import EngineProcess


@pytest.fixture(scope="session")
def model_dir() -> Path:
    return speech.model_dir()


@pytest.fixture(params=["whisper"])
async def engine(request: pytest.FixtureRequest, model_dir: Path) -> AsyncIterator[RemoteEngine]:
    """The engine, in a process of its own."""
    assert request.param == "whisper"
    process = EngineProcess(model_dir)
    yield process
    await process.close()
