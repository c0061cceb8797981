"""Erasures: what is erased stays so, and an entry says when its detail went."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from otokura.shared import tables

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tables.create_tombstones(op)
    op.add_column("entries", sa.Column("erased_at", sa.DateTime(timezone=True)))
