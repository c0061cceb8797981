"""The table of zones."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, SmallInteger, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from otokura.access.models import Table, moment


class ZoneRecord(Table, table=True):
    """A named set of networks, in force from `valid_from` (inclusive) to `valid_until` (exclusive)."""

    __tablename__ = "zones"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: UUID = Field(primary_key=True)
    tenant_id: UUID = Field(foreign_key="tenants.id")
    name: str
    networks: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    valid_from: datetime | None = moment(nullable=True)
    valid_until: datetime | None = moment(nullable=True)
    version: int = 1
    created_at: datetime = moment()


class PoliciesInForce(Table, table=True):
    """The policies by which was decided last: one row."""

    __tablename__ = "policies_in_force"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    id: int = Field(primary_key=True, sa_type=SmallInteger)
    version: str = Field(sa_type=Text)
    """`PolicyEngine.version`."""
    names: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
