"""Which engine, which model, on what: passed from the settings to the engine's process."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

AUTO = "auto"
"""A GPU when there is one; int8 on a CPU and half precision on a GPU."""

EngineName = Literal["faster-whisper", "openai-whisper"]


class EngineOptions(BaseModel):
    """What an engine's process is started with.

    `model` is where the model lies: a folder for faster-whisper, a checkpoint (`.pt`) for openai-whisper.
    With `fetched` it is a name instead, that the library knows how to fetch. `name` is what transcripts say.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())
    engine: EngineName = "faster-whisper"
    model: str
    name: str
    fetched: bool = False
    device: str = AUTO
    compute_type: str = AUTO
    threads: int = Field(default=2, ge=1)
