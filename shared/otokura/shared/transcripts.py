"""The transcript as it is stored (encrypted) and shown: written by transcribe, read by access."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from otokura.shared.events import ChannelRole
from otokura.shared.insight.models import Signals, Summary
from otokura.shared.redactions import Redaction, RedactionKind

__all__ = [
    "PartialTranscript",
    "PartialTurn",
    "Redaction",
    "RedactionKind",
    "Transcript",
    "Turn",
    "Word",
]


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
    redactions: list[Redaction] | None = None
    """What is not published. None: nobody has looked (old transcripts), and nothing may be published."""
    signals: Signals | None = None
    """How the call went, as far as its redacted text and its timing tell. None: nobody has looked."""
    summary: Summary | None = None
    """In redacted text."""


class PartialTurn(BaseModel):
    """What one channel of a live call says, as far as it is understood; redacted.

    A turn is known by its channel and start. One that is final never changes; one that is not may be gone
    from the next revision.
    """

    model_config = ConfigDict(frozen=True)
    channel: int = Field(ge=0)
    role: ChannelRole
    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)
    text: str
    final: bool


class PartialTranscript(BaseModel):
    """Version 1 of what travels sealed in a `TranscriptPartial`: turns in the order in which they began.

    It holds the turns that became final lately (see `TranscriptPartial.since`), and every turn that is not.
    """

    model_config = ConfigDict(frozen=True)
    v: Literal[1] = 1
    call_id: UUID
    epoch: int
    revision: int
    final_through_ms: int
    turns: list[PartialTurn]
