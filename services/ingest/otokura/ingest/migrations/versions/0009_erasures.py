"""Erasures: what is erased stays so; and a call's webhook deliveries are found by the call."""

from alembic import op

from otokura.shared import tables

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    tables.create_tombstones(op)
    op.create_index("ix_webhook_deliveries_call", "webhook_deliveries", ["call_id"])
