"""Calls as readers see them: what is known of a call beside its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from otokura.shared.events import Channel, Direction, Notice, Sha256Hex
from otokura.shared.moments import Moment
from otokura.shared.pagination import Cursor
from otokura.shared.policy.facts import CallFacts


class CallState(StrEnum):
    """Where a call stands; the last three are final."""

    LIVE = "live"
    SEALING = "sealing"
    SEALED = "sealed"
    FAILED = "failed"
    EMPTY = "empty"


class View(StrEnum):
    """How much of a transcript or a recording is asked for."""

    RAW = "raw"
    REDACTED = "redacted"


class Cover(StrEnum):
    """What is heard where something is redacted."""

    SILENCE = "silence"
    TONE = "tone"


class RecordingView(BaseModel):
    """The sealed recording."""

    media_type: str
    duration_ms: int
    sample_rate: int
    plaintext_bytes: int
    plaintext_sha256: Sha256Hex
    manifest_sha256: Sha256Hex


class TranscriptView(BaseModel):
    """The transcript; `failure` says why there is none."""

    language: str | None = None
    turns: int | None = None
    words: int | None = None
    characters: int | None = None
    engine: str | None = None
    model: str | None = None
    completed_at: datetime | None = None
    failure: str | None = None


class CallView(BaseModel):
    """A call. `team` is that of the person behind `agent_id`."""

    id: UUID
    external_id: str
    state: CallState
    direction: Direction
    agent_id: str | None
    team: str | None
    channels: list[Channel]
    notice: Notice
    purposes: list[str]
    language: str | None
    started_at: datetime
    ended_at: datetime | None
    failure: str | None
    recording: RecordingView | None
    recording_erased_at: datetime | None
    transcript: TranscriptView | None
    transcript_erased_at: datetime | None
    customer_key_sha256: Sha256Hex | None = None
    """Of the customer's own key that opens this call, in the end alone."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> CallView:
        """The view of a row of `otokura.access.reads.repository`."""
        return cls.model_validate(
            {
                **row,
                "id": row["call_id"],
                "recording": _recording(row),
                "transcript": _transcript(row["transcript"], row["transcript_failure"]),
                "customer_key_sha256": (row["customer_key"] or {}).get("key_sha256"),
            }
        )


class AskedAgain(BaseModel):
    """Who had a recording transcribed again, and why."""

    requested_by: str | None
    reason: str
    requested_at: datetime


class TranscriptVersionView(BaseModel):
    """One version of a transcript; `asked` is empty for the one that every recording gets."""

    version: int
    language: str
    turns: int
    words: int
    characters: int
    engine: str
    model: str
    completed_at: datetime
    asked: AskedAgain | None


class TranscriptVersions(BaseModel):
    """The versions of a call's transcript, newest first: the first is what readers get."""

    items: list[TranscriptVersionView]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> TranscriptVersions:
        """The view of rows of `otokura.access.reads.repository`."""
        items = [{**row["event"], "asked": row if row["reason"] is not None else None} for row in rows]
        return cls.model_validate({"items": items})


class CallCursor(Cursor):
    """A position in the list of calls: the last one that was looked at."""

    started_at: Moment
    call_id: UUID


def facts_of(row: Mapping[str, Any]) -> CallFacts:
    """What policies know of the call in a row."""
    return CallFacts(
        id=row["call_id"],
        tenant_id=row["tenant_id"],
        agent_id=row["agent_id"],
        team=row["team"],
        purposes=frozenset(row["purposes"]),
    )


def _recording(row: Mapping[str, Any]) -> dict[str, Any] | None:
    manifest: dict[str, Any] | None = row["manifest"]
    if manifest is None or row["recording_erased_at"] is not None:
        return None
    return {**manifest, **manifest["recording"], "manifest_sha256": row["manifest_sha256"]}


def _transcript(event: dict[str, Any] | None, failure: str | None) -> dict[str, Any] | None:
    if event is None:
        return {"failure": failure} if failure else None
    return event
