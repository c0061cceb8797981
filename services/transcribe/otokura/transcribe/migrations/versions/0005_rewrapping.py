"""Keys are wrapped anew when key-encryption keys are rotated: what is to be done, and what is retired.

And recordings whose key only their customer keeps, once they are transcribed.
"""

import sqlalchemy as sa
from alembic import op

from otokura.shared import tables

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    column = sa.Column("customer_holds_key", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("recordings", column)
    op.alter_column("recordings", "customer_holds_key", server_default=None)
    op.create_index("ix_call_keys_kek_id", "call_keys", ["kek_id"])
    tables.create_rewrapping(op, "call_keys")
