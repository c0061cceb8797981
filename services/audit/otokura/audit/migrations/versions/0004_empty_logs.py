"""A log has a checkpoint before its first entry: when the newest was published says whether there is one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("log_shards", sa.Column("published_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE log_shards SET published_at = clock_timestamp() WHERE published_size > 0")
