"""What a call's redacted transcript tells of it: written by transcribe, stored in the transcript.

Positions (`turn`, `start`, `end`) are those of the transcript that the signals stand in: characters (code
points) of `turns[turn].text`, end exclusive. Quoted text is always redacted, wherever it stands.
docs/insight.md has the formula and the limits of each signal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from otokura.shared.events.base import ChannelRole
from otokura.shared.insight.settings import FindingKind


class Evidence(BaseModel):
    """The words that made a rule match, and the sentence they stand in."""

    model_config = ConfigDict(frozen=True)
    turn: int = Field(ge=0)
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)
    words: str
    sentence: str


class Finding(BaseModel):
    """That a rule matched: a hint for a person who can look the words up, never a verdict."""

    model_config = ConfigDict(frozen=True)
    kind: FindingKind
    rule: str
    label: str
    role: ChannelRole
    evidence: list[Evidence]


class SpeedUnit(StrEnum):
    """What speaking speed is counted in: characters where a language is written without spaces."""

    CHARACTERS = "characters-per-minute"
    WORDS = "words-per-minute"


class Talk(BaseModel):
    """How much one channel speaks. `ratio` is its share of all speech; `speed` None: too little to tell."""

    model_config = ConfigDict(frozen=True)
    channel: int = Field(ge=0)
    role: ChannelRole
    spoken_ms: int = Field(ge=0)
    ratio: float = Field(ge=0, le=1)
    turns: int = Field(ge=0)
    speed: float | None = Field(default=None, ge=0)
    speed_unit: SpeedUnit


class Span(BaseModel):
    """A stretch of time on the recording's clock."""

    model_config = ConfigDict(frozen=True)
    start_ms: int = Field(ge=0)
    end_ms: int = Field(ge=0)


class Silence(BaseModel):
    """When nobody speaks, between the first word of the call and the last."""

    model_config = ConfigDict(frozen=True)
    total_ms: int = Field(ge=0)
    ratio: float = Field(ge=0, le=1)
    longest: Span | None = None


class Interruption(BaseModel):
    """One channel begins to speak while another speaks, and goes on: no mere "yes" in between."""

    model_config = ConfigDict(frozen=True)
    turn: int = Field(ge=0)
    by_channel: int = Field(ge=0)
    by_role: ChannelRole
    of_channel: int = Field(ge=0)
    of_role: ChannelRole
    start_ms: int = Field(ge=0)
    overlap_ms: int = Field(ge=0)


class Signals(BaseModel):
    """How a call went. `interruptions` is None where the voices share one channel: nobody can tell."""

    model_config = ConfigDict(frozen=True)
    v: Literal[1] = 1
    talk: list[Talk]
    silence: Silence
    interruptions: list[Interruption] | None
    reason: Finding | None = None
    promises: list[Finding] = Field(default_factory=list[Finding])
    follow_ups: list[Finding] = Field(default_factory=list[Finding])
    complaints: list[Finding] = Field(default_factory=list[Finding])
    abuse: list[Finding] = Field(default_factory=list[Finding])


class SummarySentence(BaseModel):
    """A sentence of the summary and the turns it comes from."""

    model_config = ConfigDict(frozen=True)
    text: str
    turns: list[int]


class SummaryMethod(StrEnum):
    """Sentences of the call itself, or sentences that a language model wrote about it."""

    EXTRACTIVE = "extractive"
    ABSTRACTIVE = "abstractive"


class Summary(BaseModel):
    """What the call was about. `model` is the language model's name; None for an extractive summary."""

    model_config = ConfigDict(frozen=True)
    v: Literal[1] = 1
    method: SummaryMethod
    model: str | None = None
    sentences: list[SummarySentence]
