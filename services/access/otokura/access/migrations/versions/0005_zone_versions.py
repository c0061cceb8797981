"""Zones can be changed: a version for If-Match."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("zones", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.alter_column("zones", "version", server_default=None)
