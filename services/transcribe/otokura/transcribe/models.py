"""The tables that transcribe owns: recordings, the jobs on them, and what jobs need."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class JobState(StrEnum):
    """Where a job is; the last two are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Lane(StrEnum):
    """Why a job is there; fresh ones come before."""

    FRESH = "fresh"
    """The recording has just been sealed, and somebody may wait."""
    AGAIN = "again"
    """It is transcribed once more because that was asked for."""


class Table(SQLModel, registry=registry()):
    """Base of transcribe's tables: metadata of their own, so that services never mix."""


def _now() -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=False, server_default=func.now())


class Recording(Table, table=True):
    """A sealed recording, of which there may be several transcripts.

    `last_version` is the version of the newest attempt of any of its jobs: no two attempts share one, so that
    none overwrites another's object. `job_id` is the one job that a worker holds.
    """

    __tablename__ = "recordings"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (Index("ix_recordings_started", "started_at"),)

    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    manifest: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    started_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    """When the call began."""
    last_version: int = 0
    job_id: UUID | None = None
    customer_holds_key: bool = False
    """Its key is destroyed here with the end of its first job: nobody but the customer can open it then."""


class Job(Table, table=True):
    """One transcription of one recording; the first one's id is the call's.

    `attempts` counts how often it was begun, `versions` are those of the attempts. `failures` are attempts
    that the engine failed; `takeovers` those that another worker began and did not live to end. Within a lane
    the smallest `rank` comes first (`service.handicap`). Times are the database's.
    """

    __tablename__ = "jobs"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        CheckConstraint("state IN ('queued','running','done','failed')", name="ck_jobs_state"),
        CheckConstraint("lane IN ('fresh','again')", name="ck_jobs_lane"),
        CheckConstraint("(state = 'running') = (lease_id IS NOT NULL)", name="ck_jobs_lease"),
        CheckConstraint("(state IN ('done','failed')) = (finished_at IS NOT NULL)", name="ck_jobs_finished"),
        Index("ix_jobs_open", "lane", "rank", "id", postgresql_where=text("finished_at IS NULL")),
        Index("ix_jobs_call", "call_id"),
        Index("ix_jobs_request", "request_id"),
    )

    id: UUID = Field(primary_key=True)
    call_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("recordings.call_id", ondelete="CASCADE"), nullable=False)
    )
    tenant_id: UUID
    lane: str = Lane.FRESH
    request_id: UUID | None = None
    model: str | None = None
    """The model that was asked for; None: any."""
    rank: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    state: str = JobState.QUEUED
    attempts: int = 0
    versions: list[int] = Field(sa_column=Column(ARRAY(Integer), nullable=False))
    failures: int = 0
    takeovers: int = 0
    not_before: datetime = Field(sa_column=_now())
    lease_id: UUID | None = None
    lease_until: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    reason: str | None = None
    """Why it failed."""
    made_with: str | None = None
    """The model that did it."""
    created_at: datetime = Field(sa_column=_now())
    finished_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


class Request(Table, table=True):
    """Recordings that were asked for again. `told` is what the event of `version` said of its jobs."""

    __tablename__ = "requests"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("ix_requests_open", "id", postgresql_where=text("NOT settled")),)

    id: UUID = Field(primary_key=True)
    tenant_id: UUID | None = None
    model: str | None = None
    requested_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    version: int = 0
    told: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    settled: bool = False


class WorkerRecord(Table, table=True):
    """A worker that says now and then that it lives, and the names of the model that it has."""

    __tablename__ = "workers"  # pyright: ignore[reportAssignmentType]

    id: UUID = Field(primary_key=True)
    models: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    seen_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class CallKey(Table, table=True):
    """A call's wrapped DEK: useless without the tenant's KEK."""

    __tablename__ = "call_keys"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (Index("ix_call_keys_kek_id", "kek_id"),)

    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    version: int
    kek_id: str
    wrapped: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
