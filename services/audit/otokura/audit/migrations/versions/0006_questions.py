"""Answers are read off an index, newest first; details go when their time has passed, and say why they went."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BY = {"entries_by_tenant": [], "entries_by_reader": ["reader"], "entries_by_call": ["call_id"]} | {
    "entries_by_action": ["action"]
}


def upgrade() -> None:
    op.add_column("entries", sa.Column("erased_why", sa.Text))
    op.execute("UPDATE entries SET erased_why = 'erasure' WHERE erased_at IS NOT NULL")
    # Not earlier than it was: what is kept for years from then is not forgotten early.
    op.execute("UPDATE entries SET sequenced_at = now() WHERE sequenced_at IS NULL")
    for name, columns in _BY.items():
        op.drop_index(name, "entries")
        op.create_index(name, "entries", ["tenant_id", *columns, "time", "shard", "index"])
    op.create_index("entries_by_age", "entries", ["tenant_id", "sequenced_at"])
    op.create_table(
        "detail_retention",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("done", sa.DateTime(timezone=True), nullable=False),
    )
