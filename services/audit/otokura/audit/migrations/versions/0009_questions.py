"""Denials and changes are few, and asked for by themselves; who is told of what, and how far that is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_DENIED = "action IN ('read.denied', 'login.refused', 'token.denied', 'disclosure.denied')"
_CHANGES = (
    "action IN ('policies.changed', 'zone.created', 'zone.changed', 'zone.deleted', 'hold.set', "
    "'hold.lifted', 'settings.changed', 'retention.changed')"
)


def upgrade() -> None:
    for name, which in (("entries_denied", _DENIED), ("entries_of_changes", _CHANGES)):
        columns = ["tenant_id", "time", "shard", "index"]
        op.create_index(name, "entries", columns, postgresql_where=sa.text(which))
    op.create_table(
        "siem_cursors",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("shard", sa.SmallInteger, primary_key=True),
        sa.Column("next", sa.BigInteger, nullable=False),
    )
