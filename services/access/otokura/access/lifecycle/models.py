"""Tables of the end of recordings: holds, erasures and how far they are, and how long what is kept.

`call_lifecycles` is the one row of a call that a hold and an erasure contend for: who locks it first wins.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from otokura.access.models import Table, moment

KINDS = "kind IN ('call','recording','transcript')"


class CallLifecycle(Table, table=True):
    """A call that somebody has held or begun to erase. It stays when the call is gone."""

    __tablename__ = "call_lifecycles"  # pyright: ignore[reportAssignmentType] - a directive of SQLModel

    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    erasing_at: datetime | None = moment(nullable=True)
    """When the erasure of the whole call began: it cannot be held any more."""


class Hold(Table, table=True):
    """Why a call must not be erased; there may be any number. One that ended or was lifted stays."""

    __tablename__ = "holds"  # pyright: ignore[reportAssignmentType] - as above
    __table_args__ = (Index("ix_holds_call", "call_id"), Index("ix_holds_newest", "tenant_id", "id"))

    id: UUID = Field(primary_key=True)
    call_id: UUID = Field(foreign_key="call_lifecycles.call_id")
    tenant_id: UUID
    reason: str
    case_number: str | None = None
    set_by: UUID
    set_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)
    lifted_by: UUID | None = None
    lifted_at: datetime | None = moment(nullable=True)
    lifted_because: str | None = None


class Erasure(Table, table=True):
    """That calls are to be erased: who asked, why, and on what ground. Retention asks without a person."""

    __tablename__ = "erasures"  # pyright: ignore[reportAssignmentType] - as above
    __table_args__ = (
        CheckConstraint(KINDS, name="ck_erasures_kind"),
        CheckConstraint("selected_by IN ('calls','customer','retention')", name="ck_erasures_selected_by"),
        CheckConstraint("(selected_by = 'retention') = (requested_by IS NULL)", name="ck_erasures_requester"),
        Index("ix_erasures_newest", "tenant_id", "id"),
    )

    id: UUID = Field(primary_key=True)
    tenant_id: UUID
    kind: str
    selected_by: str
    ground: str
    reason: str | None = None
    requested_by: UUID | None = None
    requested_at: datetime = moment()
    withdrawn_at: datetime | None = moment(nullable=True)


class ErasureItem(Table, table=True):
    """One call of an erasure. `begun_at` is set once its erasure has begun, whoever asked for it."""

    __tablename__ = "erasure_items"  # pyright: ignore[reportAssignmentType] - as above
    __table_args__ = (
        Index("ix_erasure_items_call", "call_id"),
        Index("ix_erasure_items_waiting", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    )

    erasure_id: UUID = Field(primary_key=True, foreign_key="erasures.id")
    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    kind: str
    waits_for: str | None = None
    """What it waits for, when somebody last looked."""
    look_at: datetime | None = moment(nullable=True)
    """When somebody looks (again) whether it may begin; None: it has begun, or was withdrawn."""
    begun_at: datetime | None = moment(nullable=True)


class CallErasure(Table, table=True):
    """The erasure of a call, or of a kind of what there was of it: each begins once."""

    __tablename__ = "call_erasures"  # pyright: ignore[reportAssignmentType] - as above
    __table_args__ = (
        CheckConstraint(KINDS, name="ck_call_erasures_kind"),
        Index(
            "ix_call_erasures_unfinal",
            "erased_at",
            postgresql_where=text("kind = 'call' AND final_at IS NULL AND erased_at IS NOT NULL"),
        ),
    )

    call_id: UUID = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    tenant_id: UUID
    erasure_id: UUID
    begun_at: datetime = moment()
    kek_ids: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    """The keys that had wrapped the call's key somewhere, as far as services have confirmed."""
    erased_at: datetime | None = moment(nullable=True)
    """When the last service had confirmed."""
    final_at: datetime | None = moment(nullable=True)
    """When the last of those keys was destroyed: no copy of the call's key opens any more."""


class ErasureConfirmation(Table, table=True):
    """What one service says that it has erased."""

    __tablename__ = "erasure_confirmations"  # pyright: ignore[reportAssignmentType] - as above

    call_id: UUID = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    service: str = Field(primary_key=True)
    counts: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    kek_ids: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    shredded_at: datetime = moment()
    applied_at: datetime = moment()


class DestroyedKek(Table, table=True):
    """A key-encryption key that no longer exists."""

    __tablename__ = "destroyed_keks"  # pyright: ignore[reportAssignmentType] - as above

    kek_id: str = Field(primary_key=True)
    destroyed_at: datetime = moment()


class Retention(Table, table=True):
    """How long a tenant's recordings are kept. `rules` is a `RetentionRules`; `version` grows."""

    __tablename__ = "retentions"  # pyright: ignore[reportAssignmentType] - as above

    tenant_id: UUID = Field(primary_key=True, foreign_key="tenants.id")
    version: int
    rules: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    changed_at: datetime = moment()
