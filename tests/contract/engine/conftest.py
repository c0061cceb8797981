"""Every engine that Otokura can use; the contract holds for each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import speech
from otokura.transcribe.engine import RemoteEngine, Segment
from otokura.transcribe.engine_process import EngineProcess
from otokura.transcribe.options import EngineName

_HEARD: dict[tuple[EngineName, str], list[list[Segment]]] = {}


@pytest.fixture(
    scope="module", params=["faster-whisper", pytest.param("openai-whisper", marks=pytest.mark.openai)]
)
def engine_name(request: pytest.FixtureRequest) -> EngineName:
    name: EngineName = request.param
    return name


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(engine_name: EngineName) -> AsyncIterator[RemoteEngine]:
    """The engine, in a process of its own."""
    process = EngineProcess(speech.engine_options(engine_name))
    yield process
    await process.close()


@pytest.fixture
def hear_call(engine_name: EngineName, engine: RemoteEngine) -> speech.HearCall:
    """A sample call as the engine hears its channels: heard once, for several tests ask of it."""

    async def hear(name: str) -> list[list[Segment]]:
        if (engine_name, name) not in _HEARD:
            language = speech.script(name)["language"]
            channels = (engine.hear(channel, language) for channel in speech.sample_call(name))
            _HEARD[engine_name, name] = await asyncio.gather(*channels)
        return _HEARD[engine_name, name]

    return hear
