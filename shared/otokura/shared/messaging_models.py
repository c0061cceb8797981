"""The tables of messaging, in every service's own database: what is to be sent, and what was handled."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, Index, Text, func, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class MessagingTable(SQLModel, registry=registry()):
    """Base of the messaging tables: a metadata of their own, so that services' tables never collide."""


class OutboxRow(MessagingTable, table=True):
    """An event, or a draft of an audit entry, that was committed together with the state it tells of."""

    __tablename__ = "outbox"  # pyright: ignore[reportAssignmentType] - as SQLModel documents it
    __table_args__ = (Index("ix_outbox_unsent", "id", postgresql_where=text("sent_at IS NULL")),)

    id: int | None = Field(
        default=None, sa_type=BigInteger, sa_column_args=[Identity(always=True)], primary_key=True
    )
    event_id: UUID
    kind: str = Field(sa_type=Text)
    """`event`; `audit`, a draft that is numbered and signed when it is sent; `dead-letter`, an event and why
    it was given up."""
    topic: str = Field(sa_type=Text)
    key: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    data: str = Field(sa_type=Text)
    """JSON. Ids, counts, hashes, ciphertext; never text or audio."""
    created_at: datetime | None = Field(
        default=None,
        sa_type=DateTime(timezone=True),
        nullable=False,
        sa_column_kwargs={"server_default": func.now()},
    )
    sent_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True), index=True)


class ProcessedEvent(MessagingTable, table=True):
    """An event whose effect is committed, by consumer group."""

    __tablename__ = "processed_events"  # pyright: ignore[reportAssignmentType] - as SQLModel documents it

    consumer_group: str = Field(sa_type=Text, primary_key=True)
    event_id: UUID = Field(primary_key=True)
    processed_at: datetime | None = Field(
        default=None,
        sa_type=DateTime(timezone=True),
        nullable=False,
        index=True,
        sa_column_kwargs={"server_default": func.now()},
    )


messaging_metadata = MessagingTable.metadata
