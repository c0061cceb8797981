"""The table of requests to transcribe again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from otokura.access.models import Table, moment


class TranscriptionRequest(Table, table=True):
    """Who asked for which recordings to be transcribed again, with what, and why.

    `tenant_id` is None where an operator means all tenants. `progress` is what transcribe told last, in the
    event of `version`.
    """

    __tablename__ = "transcription_requests"  # pyright: ignore[reportAssignmentType] - a directive of SQLModel

    id: UUID = Field(primary_key=True)
    tenant_id: UUID | None = None
    model: str | None = None
    call_id: UUID | None = None
    since: datetime | None = moment(nullable=True)
    until: datetime | None = moment(nullable=True)
    reason: str
    matching: int
    """How many calls there were to transcribe when it was asked."""
    requested_by: UUID
    requested_at: datetime = moment()
    version: int = Field(default=-1, sa_type=BigInteger)
    progress: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
