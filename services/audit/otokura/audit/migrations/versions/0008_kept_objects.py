"""Which version of an immutable object was written first: what readers get."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log_objects",
        sa.Column("shard", sa.SmallInteger, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("version_id", sa.Text, nullable=False),
    )
