"""The events that say what became of a transcription. No text travels in them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from otokura.shared.clients import Sha256Hex
from otokura.shared.events.base import CallEvent, Topic


class TranscriptCompleted(CallEvent):
    """The transcript object exists. No text here.

    The object is encrypted under the key of kind `transcript` and bound to tenant, call, kind and `version`.
    """

    TOPIC = Topic.TRANSCRIPTS
    TYPE = "otokura.transcript.completed.v1"
    bucket: str
    object: str
    language: str
    turns: int
    words: int
    characters: int
    duration_ms: int
    plaintext_bytes: int
    plaintext_sha256: Sha256Hex
    engine: str
    model: str
    completed_at: datetime
    request_id: UUID | None = None
    """The request that it was made again for."""


class TranscriptFailed(CallEvent):
    """The recording could not be transcribed; it can still be heard.

    With a `request_id` it could not be transcribed again: an earlier transcript stays.
    """

    TOPIC = Topic.TRANSCRIPTS
    TYPE = "otokura.transcript.failed.v1"
    reason: str
    failed_at: datetime
    request_id: UUID | None = None
