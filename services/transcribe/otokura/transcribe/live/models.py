"""The one table of live text: how far each call's is."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Index, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from otokura.transcribe.models import Table


class LiveProgress(Table, table=True):
    """How far the live text of a call is. No text: what is final was published in the same transaction."""

    __tablename__ = "live_progress"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (Index("ix_live_progress_at", "at"),)

    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    epoch: int = 1
    """Grows with each worker that takes the call: an older one can save nothing."""
    revision: int = Field(default=0, sa_type=BigInteger)
    through_ms: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False))
    """For each channel, before when all is final."""
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False, server_default=func.now()))
