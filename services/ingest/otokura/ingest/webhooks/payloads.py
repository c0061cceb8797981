"""The bodies that endpoints get: `{"type":…, "timestamp":…, "data":{…}}` (Standard Webhooks).

Ids, counts, hashes, durations, and the vendor's own id of the call. Never a telephone number, never text.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from otokura.ingest.models import Call
from otokura.ingest.webhooks.models import TEST_EVENT, WebhookEvent
from otokura.shared.events import TranscriptCompleted, TranscriptFailed
from otokura.shared.manifest import Manifest


class CallData(BaseModel):
    """What every event says of its call."""

    call_id: UUID
    tenant_id: UUID
    external_id: str


class SettledData(CallData):
    """A call that reached its final state."""

    started_at: datetime
    ended_at: datetime | None


class FailedData(SettledData):
    """A call that has no recording."""

    failure: str | None


class RecordingData(BaseModel):
    """A sealed recording."""

    media_type: str
    bytes: int
    sha256: str
    manifest_sha256: str


class SealedData(SettledData):
    """A call that has its recording."""

    origin: str
    channels: int
    sample_rate: int
    duration_ms: int
    gaps: int
    """Spans of the timeline that hold no audio; the manifest lists them with their reasons."""
    recording: RecordingData


class TranscribedData(CallData):
    """A recording that was transcribed, or could not be."""

    outcome: Literal["completed", "failed"]
    reason: str | None = None
    language: str | None = None
    turns: int | None = None
    words: int | None = None
    characters: int | None = None
    duration_ms: int | None = None
    engine: str | None = None
    model: str | None = None
    sha256: str | None = None


class TestData(BaseModel):
    """An event that the vendor asked for."""

    webhook_id: UUID


class Payload(BaseModel):
    """The body of a request to an endpoint."""

    type: str
    timestamp: datetime
    """When it happened, not when it is sent."""
    data: SealedData | FailedData | SettledData | TranscribedData | TestData

    def text(self) -> str:
        """The JSON that is kept, signed and sent, the same in every attempt."""
        return self.model_dump_json()


def settled(call: Call) -> Payload:
    """Of a call that has just settled."""
    moment = call.settled_at or call.started_at
    event = WebhookEvent(f"call.{call.state}")
    return Payload(type=event, timestamp=moment, data=_settled_data(call))


def _settled_data(call: Call) -> SettledData:
    common = SettledData(**_of(call).model_dump(), started_at=call.started_at, ended_at=call.ended_at)
    if call.manifest is not None and call.manifest_sha256 is not None:
        manifest = Manifest.model_validate(call.manifest)
        return SealedData(
            **common.model_dump(),
            origin=manifest.origin,
            channels=len(manifest.channels),
            sample_rate=manifest.sample_rate,
            duration_ms=manifest.duration_ms,
            gaps=len(manifest.gaps),
            recording=RecordingData(
                media_type=manifest.recording.media_type,
                bytes=manifest.recording.plaintext_bytes,
                sha256=manifest.recording.plaintext_sha256,
                manifest_sha256=call.manifest_sha256,
            ),
        )
    if call.failure is not None:
        return FailedData(**common.model_dump(), failure=call.failure)
    return common


def transcribed(call: Call, event: TranscriptCompleted | TranscriptFailed) -> Payload:
    """Of a call whose transcript exists, or never will."""
    if isinstance(event, TranscriptCompleted):
        moment = event.completed_at
        data = TranscribedData(
            **_of(call).model_dump(),
            outcome="completed",
            sha256=event.plaintext_sha256,
            **event.model_dump(
                include={"language", "turns", "words", "characters", "duration_ms", "engine", "model"}
            ),
        )
    else:
        moment = event.failed_at
        data = TranscribedData(**_of(call).model_dump(), outcome="failed", reason=event.reason)
    return Payload(type=WebhookEvent.CALL_TRANSCRIBED, timestamp=moment, data=data)


def test(webhook_id: UUID, moment: datetime) -> Payload:
    """That proves to the vendor that its endpoint works."""
    return Payload(type=TEST_EVENT, timestamp=moment, data=TestData(webhook_id=webhook_id))


def _of(call: Call) -> CallData:
    return CallData(call_id=call.id, tenant_id=call.tenant_id, external_id=call.external_id)
