"""Every engine that Otokura can use; the contract holds for each."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import speech
from otokura.transcribe.engine import RemoteEngine
from otokura.transcribe.engine_process import EngineProcess


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=["faster-whisper", pytest.param("openai-whisper", marks=pytest.mark.openai)],
)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[RemoteEngine]:
    """The engine, in a process of its own."""
    process = EngineProcess(speech.engine_options(request.param))
    yield process
    await process.close()
