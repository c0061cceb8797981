"""What sources count of their reads, to be compared with their entries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "read_counts",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("served", sa.BigInteger, nullable=False),
        sa.Column("unserved", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pending", sa.Boolean, nullable=False),
        sa.Column("opened", sa.BigInteger, nullable=False),
        sa.Column("settled", sa.BigInteger, nullable=False),
        sa.Column("unmatched", sa.BigInteger, nullable=False),
        sa.Column("matched_at", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "read_counts_pending",
        "read_counts",
        ["source", "tenant_id"],
        postgresql_where=sa.literal_column("pending"),
    )
