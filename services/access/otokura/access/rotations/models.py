"""The table of rotations."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from otokura.access.models import Table, moment


class KeyRotation(Table, table=True):
    """One rotation of the key-encryption keys of all tenants. At most one is open: not `destroyed_at`.

    `retiring` are the keys that it ends. `services` holds by service what its newest `KeysRewrapped` said.
    """

    __tablename__ = "key_rotations"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    id: UUID = Field(primary_key=True)
    new_kek_id: str | None = None
    retiring: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    services: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    rotated_by: UUID
    rotated_at: datetime = moment()
    rewrapped_at: datetime | None = moment(nullable=True)
    """When the last service had finished: nothing that lives is under a retiring key."""
    destroyed_at: datetime | None = moment(nullable=True)
