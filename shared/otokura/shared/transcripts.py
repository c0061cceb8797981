"""The transcript as it is stored (encrypted) and shown: written by transcribe, read by access."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from otokura.shared.events import ChannelRole


class Word(BaseModel):
    """One word (a token in Japanese) with its time on the recording's clock."""

    model_config = ConfigDict(frozen=True)
    text: str
    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)
    confidence: float = Field(ge=0, le=1)


class Turn(BaseModel):
    """What one channel said without the other answering."""

    model_config = ConfigDict(frozen=True)
    channel: int = Field(ge=0)
    role: ChannelRole
    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)
    text: str
    words: list[Word]
    avg_logprob: float
    no_speech_prob: float
    doubtful: bool = False


class Transcript(BaseModel):
    """Version 1 of the transcript."""

    model_config = ConfigDict(frozen=True)
    v: Literal[1] = 1
    call_id: UUID
    language: str
    engine: str
    model: str
    duration_ms: int
    turns: list[Turn]
