"""A client may have several keys, and limits of its own."""

from alembic import op
from alembic.operations import Operations

from otokura.shared import tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    tables.add_client_keys(Operations(op.get_context()))
