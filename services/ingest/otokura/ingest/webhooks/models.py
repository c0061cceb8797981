"""The tables of webhooks: endpoints, their signing secrets, and deliveries.

A delivery is written in the transaction that settles its call, and is the whole truth about what the
endpoint was told: its id is the `webhook-id` of every attempt, its body the bytes of every attempt.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from otokura.ingest.models import Table


class WebhookEvent(StrEnum):
    """What an endpoint may be told of."""

    CALL_SEALED = "call.sealed"
    CALL_FAILED = "call.failed"
    CALL_EMPTY = "call.empty"
    CALL_TRANSCRIBED = "call.transcribed"


TEST_EVENT = "webhook.test"
"""Sent when the vendor asks for it; nobody subscribes to it."""


class WebhookState(StrEnum):
    """Whether an endpoint is sent anything."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Why an endpoint is sent nothing."""

    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """Nothing reached it for too long."""


class DeliveryState(StrEnum):
    """Where a delivery is in its life."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up; a replay makes it pending again."""


def _time(*, nullable: bool = True) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=nullable)


def _webhook_id() -> Column[UUID]:
    return Column(Uuid, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False)


class Webhook(Table, table=True):
    """An endpoint that one client of a vendor registered."""

    __tablename__ = "webhooks"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        CheckConstraint("state IN ('enabled','disabled')", name="ck_webhooks_state"),
        CheckConstraint("disabled_reason IN ('gone','failing')", name="ck_webhooks_reason"),
        CheckConstraint(
            "(state = 'disabled') = (disabled_reason IS NOT NULL)"
            " AND (state = 'disabled') = (disabled_at IS NOT NULL)",
            name="ck_webhooks_disabled",
        ),
        Index("ix_webhooks_client", "client_id"),
    )

    id: UUID = Field(primary_key=True)
    tenant_id: UUID
    client_id: UUID
    url: str
    events: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    description: str | None = None
    state: str = WebhookState.ENABLED
    disabled_reason: str | None = None
    disabled_at: datetime | None = Field(default=None, sa_column=_time())
    failing_since: datetime | None = Field(default=None, sa_column=_time())
    """The first failure since anything was delivered."""
    created_at: datetime = Field(sa_column=_time(nullable=False))


class WebhookSecret(Table, table=True):
    """A signing secret, sealed (`otokura.ingest.vendor_secrets`) with its own id as the owner."""

    __tablename__ = "webhook_secrets"  # pyright: ignore[reportAssignmentType] - as above
    __table_args__ = (Index("ix_webhook_secrets_webhook", "webhook_id"),)

    id: UUID = Field(primary_key=True)
    webhook_id: UUID = Field(sa_column=_webhook_id())
    kek_id: str
    wrapped: bytes
    ciphertext: bytes
    expires_at: datetime | None = Field(default=None, sa_column=_time())
    """When it signs no more; None for the current one."""


class Delivery(Table, table=True):
    """One event for one endpoint."""

    __tablename__ = "webhook_deliveries"  # pyright: ignore[reportAssignmentType] - as above
    __table_args__ = (
        CheckConstraint("state IN ('pending','delivered','failed')", name="ck_webhook_deliveries_state"),
        CheckConstraint(
            "(state = 'pending') = (next_attempt_at IS NOT NULL)", name="ck_webhook_deliveries_next"
        ),
        Index(
            "ix_webhook_deliveries_due",
            "webhook_id",
            "next_attempt_at",
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_webhook_deliveries_list", "webhook_id", "created_at", "id"),
        Index("ix_webhook_deliveries_created", "created_at"),
        Index("ix_webhook_deliveries_call", "call_id"),
    )

    id: UUID = Field(primary_key=True)
    webhook_id: UUID = Field(sa_column=_webhook_id())
    event: str
    call_id: UUID | None = None
    body: str = Field(sa_type=Text)
    state: str = DeliveryState.PENDING
    attempts: int = 0
    """All that were made and whose end is known."""
    failures: int = 0
    """Those that failed since the delivery was made, or last replayed: the place in the schedule."""
    last_status: int | None = None
    last_error: str | None = None
    last_attempt_at: datetime | None = Field(default=None, sa_column=_time())
    next_attempt_at: datetime | None = Field(default=None, sa_column=_time())
    lease_id: UUID | None = None
    """The attempt under way; an attempt that lost its lease may not write its outcome."""
    lease_until: datetime | None = Field(default=None, sa_column=_time())
    created_at: datetime = Field(sa_column=_time(nullable=False))
