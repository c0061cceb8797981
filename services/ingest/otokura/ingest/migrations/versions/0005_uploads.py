"""Resumable uploads, and the parts in which their bytes are stored."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"


def _time(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("call_id", sa.Uuid, sa.ForeignKey("calls.id"), nullable=False),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("parts", sa.Integer, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("metadata", sa.LargeBinary),
        sa.Column("problem", JSONB),
        _time("expires_at", nullable=False),
        _time("cleaned_at"),
        sa.CheckConstraint("state IN ('open','complete','gone')", name="ck_uploads_state"),
        sa.CheckConstraint("received BETWEEN 0 AND length", name="ck_uploads_received"),
        sa.CheckConstraint("state <> 'complete' OR received = length", name="ck_uploads_complete"),
    )
    op.create_index("ix_uploads_call", "uploads", ["call_id"])
    op.create_index("ix_uploads_expiry", "uploads", ["expires_at"])
    op.create_index(
        "ix_uploads_uncleaned", "uploads", ["state"], postgresql_where=sa.text("cleaned_at IS NULL")
    )
    op.create_table(
        "upload_parts",
        sa.Column("upload_id", sa.Uuid, sa.ForeignKey("uploads.id"), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("object_name", sa.String, nullable=False),
        sa.CheckConstraint("size > 0", name="ck_upload_parts_size"),
    )


def downgrade() -> None:
    raise NotImplementedError("Recordings are evidence: a database of calls is restored, not rolled back.")
