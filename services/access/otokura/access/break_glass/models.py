"""The table of broken glass."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from otokura.access.models import Table, moment


class BreakGlass(Table, table=True):
    """That somebody asked for every call of the tenant, and what became of it.

    `until` stands from the approval on: the reader has every call until then, unless it was ended before.
    """

    __tablename__ = "break_glass"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        Index("ix_break_glass_newest", "tenant_id", "id"),
        Index("ix_break_glass_asker", "asked_by", "until"),
    )

    id: UUID = Field(primary_key=True)
    tenant_id: UUID = Field(foreign_key="tenants.id")
    asked_by: UUID = Field(foreign_key="principals.id")
    reason: str
    minutes: int
    asked_at: datetime = moment()
    lapses_at: datetime = moment()
    """Nobody can approve it any more then."""
    approved_by: UUID | None = None
    approved_at: datetime | None = moment(nullable=True)
    until: datetime | None = moment(nullable=True)
    ended_by: UUID | None = None
    ended_at: datetime | None = moment(nullable=True)
