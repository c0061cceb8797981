"""Tables of grants."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from otokura.access.models import Table, moment


class GrantRecord(Table, table=True):
    """That somebody may read a call: whom it was given to, by whom, and its limits.

    No zones: any of the tenant's. `start_ms` and `end_ms` are of the recording; without them all of it is
    given. `used` counts listenings.
    """

    __tablename__ = "grants"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (Index("ix_grants_newest", "tenant_id", "id"),)

    id: UUID = Field(primary_key=True)
    tenant_id: UUID = Field(foreign_key="tenants.id")
    reader_id: UUID = Field(foreign_key="principals.id")
    given_by: UUID = Field(foreign_key="principals.id")
    call_id: UUID = Field(index=True)
    what: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    purpose: str
    reason: str
    zones: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    start_ms: int | None = Field(default=None, sa_type=BigInteger)
    end_ms: int | None = Field(default=None, sa_type=BigInteger)
    listenings: int
    used: int = 0
    made_at: datetime = moment()
    expires_at: datetime = moment()
    revoked_by: UUID | None = None
    revoked_at: datetime | None = moment(nullable=True)


class GrantUse(Table, table=True):
    """One listening by a grant: what comes under its `read_id` until then belongs to it."""

    __tablename__ = "grant_uses"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    grant_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("grants.id", ondelete="CASCADE"), primary_key=True)
    )
    read_id: UUID = Field(primary_key=True)
    until: datetime = moment()
