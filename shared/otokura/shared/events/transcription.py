"""Transcribing again: what is asked of transcribe, and how far it has come. No text travels in them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from otokura.shared.events.base import CallEvent, EventData, Topic

ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/ -]{0,99}$")]
"""A speech model as transcripts name it (`whisper-base int8`), or without the compute type."""


class TranscriptionRequested(EventData):
    """Recordings are to be transcribed again: those to which every given condition applies.

    `tenant_id` is None where all tenants' are meant. The calls' times are those at which they began.
    """

    TOPIC = Topic.REQUESTS
    TYPE = "otokura.transcription.requested.v1"
    request_id: UUID
    tenant_id: UUID | None
    model: ModelName | None = None
    """Only a worker with this model does it; None: any."""
    call_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    requested_at: datetime

    def partition_key(self) -> str:
        """The request's id."""
        return str(self.request_id)


class TranscriptionRetried(CallEvent):
    """A job that was given up is to be begun anew. It waits among the dead letters until it is replayed."""

    TOPIC = Topic.REQUESTS
    TYPE = "otokura.transcription.retried.v1"
    job_id: UUID


class TranscriptionProgressed(EventData):
    """How far a request has come: jobs by state, as they were when `version` was made."""

    TOPIC = Topic.TRANSCRIPTS
    TYPE = "otokura.transcription.progressed.v1"
    request_id: UUID
    version: int
    queued: int
    running: int
    done: int
    failed: int
    model_available: bool
    """Whether a worker that lives has the model that was asked for."""
    at: datetime

    def partition_key(self) -> str:
        """The request's id."""
        return str(self.request_id)
