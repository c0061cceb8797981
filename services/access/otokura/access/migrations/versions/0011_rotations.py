"""Rotations of key-encryption keys: what was rotated, how far every service is, and access's own part in it.

And the keys of calls for tenants who hold the key to them alone.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from otokura.shared import tables

revision = "0011"
down_revision = "0010"


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "key_rotations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("new_kek_id", sa.String),
        sa.Column("retiring", ARRAY(sa.Text), nullable=False),
        sa.Column("services", JSONB, nullable=False),
        sa.Column("rotated_by", sa.Uuid, nullable=False),
        _time("rotated_at"),
        _time("rewrapped_at", nullable=True),
        _time("destroyed_at", nullable=True),
    )
    op.add_column("calls", sa.Column("customer_key", JSONB(none_as_null=True)))
    op.create_index("ix_call_keys_kek_id", "call_keys", ["kek_id"])
    tables.create_rewrapping(op, "call_keys", "search_keys", "logins", "invitations")
