"""Keys are wrapped anew when key-encryption keys are rotated: what is to be done, and what is retired."""

from alembic import op

from otokura.shared import tables

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("ix_call_keys_kek_id", "call_keys", ["kek_id"])
    tables.create_rewrapping(op, "call_keys")
