"""What vendors send and see: the bodies of the HTTP interface."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from otokura.ingest.models import Call, CallState
from otokura.ingest.timeline import milliseconds
from otokura.shared.events import Channel, Direction, Notice

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
Number = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
NoticeVersion = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
NoticeTime = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))
]
"""Far enough from the ends of the calendar for every time zone."""
PurposeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class NoticeInput(Notice):
    """The notice as a vendor states it; a time needs its zone."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    at: NoticeTime | None = None
    version: NoticeVersion | None = None


class ChannelInput(Channel):
    """One leg, in the order in which the samples are interleaved."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StartCall(BaseModel):
    """A call that begins."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "external_id": "cti-20261124-000183",
                    "direction": "inbound",
                    "caller": "+81312345678",
                    "callee": "+81120000000",
                    "agent_id": "a-17",
                    "channels": [{"role": "customer"}, {"role": "agent"}],
                    "notice": {"given": "announced", "at": "2026-11-24T09:00:00Z", "version": "2026-04"},
                    "purposes": ["quality"],
                    "language": "ja",
                }
            ]
        },
    )
    external_id: Identifier
    """The phone system's own id of the call."""
    direction: Direction
    caller: Number | None = None
    callee: Number | None = None
    agent_id: Identifier | None = None
    channels: list[ChannelInput] = Field(min_length=1, max_length=2)
    notice: NoticeInput = NoticeInput()
    purposes: list[PurposeName] = Field(default_factory=list[str], max_length=20)
    """Of those that the tenant disclosed."""
    language: str | None = Field(default=None, pattern=r"^[a-z]{2}$")
    started_at: AwareDatetime | None = None
    """When the call began, if that is past: for recordings of old calls. Now, if it is not said."""


class RecordingView(BaseModel):
    """The sealed recording."""

    media_type: str
    duration_ms: int
    sample_rate: int
    plaintext_bytes: int
    plaintext_sha256: str
    manifest_sha256: str


class CallView(BaseModel):
    """A call as its vendor sees it. Numbers are never given back."""

    id: UUID
    external_id: str
    state: CallState
    paused: bool
    """Whether recording is paused: what comes now becomes a gap."""
    ending: bool
    """Whether the call's end waits for audio that is not accepted yet."""
    direction: Direction
    agent_id: str | None
    channels: list[Channel]
    notice: Notice
    purposes: list[str]
    language: str | None
    accepted_ms: dict[str, int]
    """For each channel, how much is stored and survives any crash."""
    accepted_samples: int
    """The same, exactly, in samples per channel."""
    started_at: datetime
    ended_at: datetime | None
    failure: str | None
    recording: RecordingView | None

    @classmethod
    def of(cls, call: Call) -> Self:
        """The view of a row."""
        return cls(
            id=call.id,
            external_id=call.external_id,
            state=CallState(call.state),
            paused=call.paused,
            ending=call.state == CallState.LIVE and call.end_asked_at is not None,
            direction=Direction(call.direction),
            agent_id=call.agent_id,
            channels=[Channel.model_validate(channel) for channel in call.channels],
            notice=Notice.model_validate(call.notice),
            purposes=call.purposes,
            language=call.language,
            accepted_ms=accepted_ms(call),
            accepted_samples=call.samples,
            started_at=call.started_at,
            ended_at=call.ended_at,
            failure=call.failure,
            recording=_recording(call.manifest, call.manifest_sha256),
        )


def accepted_ms(call: Call) -> dict[str, int]:
    """How far each channel is accepted. Interleaved channels advance together."""
    reached = milliseconds(call.samples, call.sample_rate)
    return {str(channel): reached for channel in range(len(call.channels))}


def etag(call: Call) -> str:
    """A strong validator (RFC 9110 §8.8.3): the version changes with everything that is shown."""
    return f'"{call.version}"'


def _recording(manifest: dict[str, Any] | None, sha256: str | None) -> RecordingView | None:
    if manifest is None or sha256 is None:
        return None
    stored = manifest["recording"]
    return RecordingView(
        media_type=stored["media_type"],
        duration_ms=manifest["duration_ms"],
        sample_rate=manifest["sample_rate"],
        plaintext_bytes=stored["plaintext_bytes"],
        plaintext_sha256=stored["plaintext_sha256"],
        manifest_sha256=sha256,
    )
