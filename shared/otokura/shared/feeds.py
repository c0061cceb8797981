"""What a feed carries: the events that analytics reads. Their JSON is a public interface.

A feed is the topic `otokura.feed.<tenant>.<subscription>`, keyed by call id. Events are CloudEvents 1.0 in
Kafka binary mode. Changes are additive only: a check compares the schemas with those published before
(docs/schemas). Beside these a feed carries `otokura.call.erased.v1` (`otokura.shared.events.CallErased`).

Times called `…_ms` are milliseconds on the recording's clock, from its beginning.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from otokura.shared.events import ChannelRole, Direction
from otokura.shared.insight import Signals, Summary

TOPIC_PREFIX = "otokura.feed."


def topic_of(tenant_id: UUID, feed_id: UUID) -> str:
    """The feed's topic. Consumer groups of its readers begin with the same name."""
    return f"{TOPIC_PREFIX}{tenant_id}.{feed_id}"


class FeedField(StrEnum):
    """A part of an event that a subscription asks for."""

    TURNS = "turns"
    WORDS = "words"
    CALL = "call"
    SIGNALS = "signals"
    SUMMARY = "summary"


class FeedModel(BaseModel):
    """Base of what a feed carries. A reader of ours ignores what it does not know; so should yours."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FeedWord(FeedModel):
    """One word (a token in Japanese). `confidence` is between 0 and 1."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


class FeedRedaction(FeedModel):
    """Something that is not shown: characters [`start`, `end`) of the turn's text name its kind."""

    kind: str = Field(examples=["card-number", "phone-number", "my-number"])
    start: int
    end: int
    start_ms: int
    end_ms: int


class FeedTurn(FeedModel):
    """What one channel said without the other answering."""

    channel: int
    role: ChannelRole
    start_ms: int
    end_ms: int
    text: str
    doubtful: bool = Field(description="The engine may have heard words where there are none.")
    words: list[FeedWord] | None = Field(
        description="None where the feed does not have them, or where the turn would not fit into an event."
    )
    redactions: list[FeedRedaction] = Field(description="Empty in a raw feed.")


class FeedPartialTurn(FeedModel):
    """What was heard so far. Where `final` is false, later revisions may say otherwise."""

    channel: int
    role: ChannelRole
    start_ms: int
    end_ms: int
    text: str
    final: bool


class FeedChannel(FeedModel):
    """One leg of the call."""

    role: ChannelRole


class FeedCall(FeedModel):
    """What is known of the call beside its content. Telephone numbers are not."""

    external_id: str = Field(description="The phone system's own id of the call.")
    direction: Direction
    agent_id: str | None
    channels: list[FeedChannel]
    purposes: list[str] = Field(description="For which the caller was told that the recording is used.")
    started_at: datetime
    ended_at: datetime | None


class Disclosed(FeedModel):
    """What every event with content says of itself."""

    TYPE: ClassVar[str]
    feed_id: UUID
    tenant_id: UUID
    call_id: UUID
    purpose: str = Field(description="What the feed is for; the event may be used for nothing else.")
    redacted: bool
    entry_id: UUID = Field(description="The entry of the audit log under which this was disclosed.")


class FeedTranscriptCompleted(Disclosed):
    """A call's transcript. A greater `version` takes the place of a smaller one, whole.

    A transcript that is too long for one event comes in several, `part` 1 to `parts`, with the turns in
    order; everything but the turns stands in the first.
    """

    TYPE = "otokura.feed.transcript-completed.v1"
    version: int
    part: int = Field(ge=1)
    parts: int = Field(ge=1)
    language: str = Field(description="ISO 639-1, or `und` where nobody speaks.")
    engine: str
    model: str
    duration_ms: int
    completed_at: datetime
    call: FeedCall | None = None
    first_turn: int = Field(description="The number, from 0, of the first of `turns` in the transcript.")
    turns: list[FeedTurn] | None = None
    signals: Signals | None = Field(
        default=None, description="How the call went. What is quoted is redacted, in a raw feed too."
    )
    summary: Summary | None = Field(default=None, description="In redacted text.")


class FeedTranscriptPartial(Disclosed):
    """Text of a call that still goes on. The greatest (`epoch`, `revision`) of a call replaces the others."""

    TYPE = "otokura.feed.transcript-partial.v1"
    epoch: int
    revision: int
    since: int = Field(
        description="Turns that became final in revisions after this one are all here. Who has not seen it "
        "or a later one lacks some, until the transcript comes."
    )
    final_through_ms: int = Field(description="Up to here nothing changes any more, until the transcript.")
    language: str
    turns: list[FeedPartialTurn]
