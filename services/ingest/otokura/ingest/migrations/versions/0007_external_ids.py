"""Calls are found by the phone system's own id."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index("ix_calls_external", "calls", ["client_id", "external_id", "started_at"])
