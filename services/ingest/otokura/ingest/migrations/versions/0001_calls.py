"""Calls and the pieces of their timelines, beside the tables that every service has."""

import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from sqlalchemy.dialects.postgresql import JSONB

from otokura.shared import tables

revision = "0001"
down_revision = None


def _time(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    operations = Operations(op.get_context())
    tables.create_messaging(operations)
    tables.create_idempotency(operations)
    tables.create_directory(operations)
    op.create_table(
        "calls",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("client_id", sa.Uuid, nullable=False),
        sa.Column("external_id", sa.String, nullable=False),
        sa.Column("direction", sa.String, nullable=False),
        sa.Column("agent_id", sa.String),
        sa.Column("channels", JSONB, nullable=False),
        sa.Column("notice", JSONB, nullable=False),
        sa.Column("purposes", JSONB, nullable=False),
        sa.Column("language", sa.String),
        sa.Column("personal", sa.LargeBinary),
        sa.Column("kek_id", sa.String, nullable=False),
        sa.Column("wrapped_dek", sa.LargeBinary, nullable=False),
        sa.Column("commitment", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.Uuid),
        _time("lease_until"),
        sa.Column("seal_attempts", sa.Integer, nullable=False),
        sa.Column("origin", sa.String),
        sa.Column("sample_rate", sa.Integer),
        sa.Column("samples", sa.BigInteger, nullable=False),
        sa.Column("pieces", sa.Integer, nullable=False),
        _time("started_at", nullable=False),
        _time("last_audio_at", nullable=False),
        _time("ended_at"),
        _time("settled_at"),
        _time("cleaned_at"),
        sa.Column("failure", sa.String),
        sa.Column("manifest", JSONB),
        sa.Column("manifest_sha256", sa.String),
        sa.CheckConstraint("state IN ('live','sealing','sealed','failed','empty')", name="ck_calls_state"),
        sa.CheckConstraint("origin IN ('live','upload')", name="ck_calls_origin"),
        sa.CheckConstraint("(state = 'sealed') = (manifest IS NOT NULL)", name="ck_calls_manifest"),
        sa.CheckConstraint("(state IN ('live','sealing')) = (settled_at IS NULL)", name="ck_calls_settled"),
        sa.CheckConstraint("(state = 'live') = (ended_at IS NULL)", name="ck_calls_ended"),
    )
    op.create_index(
        "ix_calls_open", "calls", ["state", "last_audio_at"], postgresql_where=sa.text("settled_at IS NULL")
    )
    op.create_index(
        "ix_calls_uncleaned",
        "calls",
        ["settled_at"],
        postgresql_where=sa.text("settled_at IS NOT NULL AND cleaned_at IS NULL"),
    )
    op.create_table(
        "pieces",
        sa.Column("call_id", sa.Uuid, sa.ForeignKey("calls.id"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("start_sample", sa.BigInteger, nullable=False),
        sa.Column("samples", sa.BigInteger, nullable=False),
        sa.Column("object_name", sa.String),
        sa.Column("gap", sa.String),
        sa.CheckConstraint("(object_name IS NULL) <> (gap IS NULL)", name="ck_pieces_kind"),
        sa.CheckConstraint("gap IN ('lost','paused','discarded')", name="ck_pieces_gap"),
        sa.CheckConstraint("samples > 0", name="ck_pieces_samples"),
    )


def downgrade() -> None:
    raise NotImplementedError("Recordings are evidence: a database of calls is restored, not rolled back.")
