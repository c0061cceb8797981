"""Keys are wrapped anew when key-encryption keys are rotated: what is to be done, and what is retired.

`key_version` counts the wrappings of a call's key. Its default stays: instances of the version before go on
starting calls while they are replaced.
"""

import sqlalchemy as sa
from alembic import op

from otokura.shared import tables

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("calls", sa.Column("key_version", sa.BigInteger, nullable=False, server_default="1"))
    op.create_index("ix_calls_kek_id", "calls", ["kek_id"])
    tables.create_rewrapping(op, "calls", "connections", "webhook_secrets")
