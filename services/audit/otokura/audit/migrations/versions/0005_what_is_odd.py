"""When an entry was sequenced, what a source's newest heartbeat said, and whose an alert is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added without a default: of the entries that are there nobody knows when they were sequenced.
    op.add_column("entries", sa.Column("sequenced_at", sa.DateTime(timezone=True)))
    op.alter_column("entries", "sequenced_at", server_default=sa.func.now())
    op.add_column("sources", sa.Column("declared", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("sources", sa.Column("declared_at", sa.DateTime(timezone=True)))
    op.add_column("alerts", sa.Column("tenant_id", sa.Uuid))
    op.execute("UPDATE alerts SET tenant_id = CAST(detail->>'tenant_id' AS uuid)")
    op.create_index("alerts_by_tenant", "alerts", ["tenant_id", "at", "id"])
