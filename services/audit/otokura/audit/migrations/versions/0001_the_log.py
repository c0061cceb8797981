"""The log, its sources and its alerts."""

from __future__ import annotations

from typing import cast

import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql

from otokura.shared.tables import create_directory, create_messaging

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    operations = cast("Operations", op)  # the module stands for the Operations of the running migration
    create_messaging(operations)
    create_directory(operations)
    _create_tree()
    _create_watch()


def _create_tree() -> None:
    op.create_table(
        "log_shards",
        sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("peaks", sa.LargeBinary, nullable=False),
        sa.Column("signed_size", sa.BigInteger, nullable=False),
        sa.Column("signed_root", sa.LargeBinary),
        sa.Column("published_size", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "entries",
        sa.Column("shard", sa.SmallInteger, primary_key=True),
        sa.Column("index", sa.BigInteger, primary_key=True),
        sa.Column("entry_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        _instant("time"),
        sa.Column("tenant_id", sa.Uuid),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("reader", sa.Text),
        sa.Column("call_id", sa.Uuid),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("recorded", sa.LargeBinary),
    )
    op.create_index("entries_by_tenant", "entries", ["tenant_id", "shard", "index"])
    op.create_index("entries_by_reader", "entries", ["tenant_id", "reader", "shard", "index"])
    op.create_index("entries_by_call", "entries", ["tenant_id", "call_id", "shard", "index"])
    op.create_index("entries_by_action", "entries", ["tenant_id", "action", "shard", "index"])
    op.create_index("entries_by_source", "entries", ["source", "seq"])
    op.create_table(
        "tile_nodes",
        sa.Column("shard", sa.SmallInteger, primary_key=True),
        sa.Column("level", sa.SmallInteger, primary_key=True),
        sa.Column("index", sa.BigInteger, primary_key=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )


def _create_watch() -> None:
    op.create_table(
        "sources",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("high", sa.BigInteger, nullable=False),
        sa.Column("gaps", postgresql.JSONB, nullable=False),
        _instant("heard_at"),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("silence_alerted", sa.Boolean, nullable=False),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("detail", postgresql.JSONB, nullable=False),
        _instant("at"),
        sa.UniqueConstraint("kind", "source", "key", name="alerts_once"),
    )
