"""The tables that every service gets from `otokura.shared`, as a service's first migration makes them."""

from alembic import op
from alembic.operations import Operations

from otokura.shared.tables import add_client_keys, create_directory, create_idempotency, create_messaging

revision = "0001"
down_revision = None


def upgrade() -> None:
    operations = Operations(op.get_context())
    create_messaging(operations)
    create_idempotency(operations)
    create_directory(operations)
    add_client_keys(operations)
