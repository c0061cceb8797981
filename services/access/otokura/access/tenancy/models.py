"""Tables of tenants."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from otokura.access.models import Table, moment


class Tenant(Table, table=True):
    """A company. `version` grows with each change and travels in `TenantUpdated`."""

    __tablename__ = "tenants"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    id: UUID = Field(primary_key=True)
    name: str = Field(unique=True)
    version: int
    disabled: bool = False
    settings: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = moment()
