"""The tables that transcribe owns: one job a recording, and the keys that jobs need."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, Index, LargeBinary, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class JobState(StrEnum):
    """Where a job is; the last two are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Table(SQLModel, registry=registry()):
    """Base of transcribe's tables: metadata of their own, so that services never mix."""


def _now() -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=False, server_default=func.now())


class Job(Table, table=True):
    """The one transcription of one recording.

    `attempts` counts how often it was begun, and is the version of what the attempt writes. `failures` are
    attempts that the engine failed; `takeovers` those that another worker began and did not live to end.
    Times are the database's.
    """

    __tablename__ = "jobs"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        CheckConstraint("state IN ('queued','running','done','failed')", name="ck_jobs_state"),
        CheckConstraint("(state = 'running') = (lease_id IS NOT NULL)", name="ck_jobs_lease"),
        CheckConstraint("(state IN ('done','failed')) = (finished_at IS NOT NULL)", name="ck_jobs_finished"),
        Index("ix_jobs_open", "created_at", postgresql_where=text("finished_at IS NULL")),
    )

    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    manifest: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    state: str = JobState.QUEUED
    attempts: int = 0
    failures: int = 0
    takeovers: int = 0
    not_before: datetime = Field(sa_column=_now())
    lease_id: UUID | None = None
    lease_until: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    reason: str | None = None
    """Why it failed."""
    created_at: datetime = Field(sa_column=_now())
    finished_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


class CallKey(Table, table=True):
    """A call's wrapped DEK: useless without the tenant's KEK."""

    __tablename__ = "call_keys"  # pyright: ignore[reportAssignmentType]

    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    version: int
    kek_id: str
    wrapped: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
