"""The tables that ingest owns: calls, and the pieces of their timelines.

The database is the truth about what was accepted: a segment counts when its row is here, and a row is
written only after the object exists. Times come from the database's clock, never from a process's.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class CallState(StrEnum):
    """Where a call is in its life; the last three are final."""

    LIVE = "live"
    SEALING = "sealing"
    SEALED = "sealed"
    FAILED = "failed"
    EMPTY = "empty"


class Origin(StrEnum):
    """How the audio comes in."""

    LIVE = "live"
    UPLOAD = "upload"


class Table(SQLModel, registry=registry()):
    """Base of ingest's tables: metadata of their own, so that services never mix."""


def _time(*, nullable: bool = True) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=nullable)


class Call(Table, table=True):
    """One call. `version` grows with every change; `epoch` with every change of who may write audio."""

    __tablename__ = "calls"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        CheckConstraint("state IN ('live','sealing','sealed','failed','empty')", name="ck_calls_state"),
        CheckConstraint("origin IN ('live','upload')", name="ck_calls_origin"),
        CheckConstraint("(state = 'sealed') = (manifest IS NOT NULL)", name="ck_calls_manifest"),
        CheckConstraint("(state IN ('live','sealing')) = (settled_at IS NULL)", name="ck_calls_settled"),
        CheckConstraint("(state = 'live') = (ended_at IS NULL)", name="ck_calls_ended"),
        Index("ix_calls_open", "state", "last_audio_at", postgresql_where=text("settled_at IS NULL")),
        Index(
            "ix_calls_live",
            "client_id",
            "external_id",
            postgresql_where=text("state = 'live'"),
        ),
        Index("ix_calls_external", "client_id", "external_id", "started_at"),
        Index("ix_calls_kek_id", "kek_id"),
        Index(
            "ix_calls_uncleaned",
            "settled_at",
            postgresql_where=text("settled_at IS NOT NULL AND cleaned_at IS NULL"),
        ),
    )

    id: UUID = Field(primary_key=True)
    tenant_id: UUID
    client_id: UUID
    external_id: str
    direction: str
    agent_id: str | None = None
    channels: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    notice: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    purposes: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    language: str | None = None
    personal: bytes | None = None
    """Ciphertext of the numbers (kind `event`)."""

    kek_id: str
    wrapped_dek: bytes
    commitment: str
    key_version: int = Field(
        default=1, sa_column=Column(BigInteger, nullable=False, server_default=text("1"))
    )
    """Grows with each wrapping of the key: the version of its event."""
    customer_key: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    """The same key for the tenant's own, from the sealing on: `otokura.shared.customer_keys.CustomerCopy`.
    When the call is transcribed `wrapped_dek` is emptied."""

    state: str = CallState.LIVE
    version: int = Field(default=1, sa_type=BigInteger)
    epoch: int = Field(default=1, sa_type=BigInteger)
    owner: UUID | None = None
    """The instance that streams, uploads or seals; meaningful while the lease runs."""
    lease_until: datetime | None = Field(default=None, sa_column=_time())
    seal_attempts: int = 0

    origin: str | None = None
    sample_rate: int | None = None
    samples: int = Field(default=0, sa_type=BigInteger)
    """Accepted so far, in each channel: the end of the timeline."""
    pieces: int = 0
    """How many rows of `pieces` there are: the next sequence number."""
    paused: bool = False
    """The phone system asked that nothing be recorded now (a card number is being said)."""
    gate: int = Field(default=0, sa_type=BigInteger)
    """Grows when what may be recorded changes (pause, resume, notice): a writer who has not heard of the
    newest change may not store audio."""
    gate_heard: int = Field(default=0, sa_type=BigInteger)
    """The gate at which the writer has cut its audio; nothing received later was recorded against it."""
    drift: list[int] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    """Per channel, samples inserted (+) or dropped (-) so far to hold the channels together."""

    started_at: datetime = Field(sa_column=_time(nullable=False))
    last_audio_at: datetime = Field(sa_column=_time(nullable=False))
    end_asked_at: datetime | None = Field(default=None, sa_column=_time())
    """Somebody ended the call while its owner still had audio to store: no new stream may begin."""
    ended_at: datetime | None = Field(default=None, sa_column=_time())
    settled_at: datetime | None = Field(default=None, sa_column=_time())
    cleaned_at: datetime | None = Field(default=None, sa_column=_time())
    failure: str | None = None
    manifest: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    manifest_sha256: str | None = None


class Piece(Table, table=True):
    """A span of a live call's timeline: a stored segment, or a gap with its reason."""

    __tablename__ = "pieces"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        CheckConstraint("(object_name IS NULL) <> (gap IS NULL)", name="ck_pieces_kind"),
        CheckConstraint("gap IN ('lost','paused','discarded','unannounced')", name="ck_pieces_gap"),
        CheckConstraint("encoding IN ('pcm_s16le','mulaw','alaw')", name="ck_pieces_encoding"),
        CheckConstraint("samples > 0", name="ck_pieces_samples"),
    )

    call_id: UUID = Field(primary_key=True, foreign_key="calls.id")
    seq: int = Field(primary_key=True)
    epoch: int = Field(sa_type=BigInteger)
    start_sample: int = Field(sa_type=BigInteger)
    samples: int = Field(sa_type=BigInteger)
    object_name: str | None = None
    encoding: str = "pcm_s16le"
    """Of the samples in the object: as they came over the wire."""
    gap: str | None = None
    absent: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    """Spans inside a segment that one channel lacks, as `otokura.shared.manifest.Gap`."""
