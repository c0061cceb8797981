"""Keys are wrapped anew when key-encryption keys are rotated: what is to be done, and what is retired.

`key_version` counts the wrappings of a call's key. Its default stays: instances of the version before go on
starting calls while they are replaced. `customer_key` is the same key for a tenant who holds the key to it alone.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from otokura.shared import tables

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("calls", sa.Column("key_version", sa.BigInteger, nullable=False, server_default="1"))
    op.add_column("calls", sa.Column("customer_key", JSONB(none_as_null=True)))
    op.create_index("ix_calls_kek_id", "calls", ["kek_id"])
    tables.create_rewrapping(op, "calls", "connections", "webhook_secrets")
