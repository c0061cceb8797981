"""Grants, broken glass, and what leak signals are told from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    _create_grants()
    _create_break_glass()
    _create_signals()


def _create_grants() -> None:
    op.create_table(
        "grants",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("reader_id", sa.Uuid, sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("given_by", sa.Uuid, sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("call_id", sa.Uuid, nullable=False),
        sa.Column("what", ARRAY(sa.Text), nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("zones", ARRAY(sa.Text), nullable=False),
        sa.Column("start_ms", sa.BigInteger),
        sa.Column("end_ms", sa.BigInteger),
        sa.Column("listenings", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        _time("made_at"),
        _time("expires_at"),
        sa.Column("revoked_by", sa.Uuid),
        _time("revoked_at", nullable=True),
    )
    op.create_index("ix_grants_newest", "grants", ["tenant_id", "id"])
    op.create_index("ix_grants_call_id", "grants", ["call_id"])
    op.create_table(
        "grant_uses",
        sa.Column("grant_id", sa.Uuid, sa.ForeignKey("grants.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("read_id", sa.Uuid, primary_key=True),
        _time("until"),
    )


def _create_break_glass() -> None:
    op.create_table(
        "break_glass",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("asked_by", sa.Uuid, sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        _time("asked_at"),
        _time("lapses_at"),
        sa.Column("approved_by", sa.Uuid),
        _time("approved_at", nullable=True),
        _time("until", nullable=True),
        sa.Column("ended_by", sa.Uuid),
        _time("ended_at", nullable=True),
    )
    op.create_index("ix_break_glass_newest", "break_glass", ["tenant_id", "id"])
    op.create_index("ix_break_glass_asker", "break_glass", ["asked_by", "until"])


def _create_signals() -> None:
    op.add_column("principals", _time("paused_at", nullable=True))
    op.create_table(
        "seen_calls",
        sa.Column("reader_id", sa.Uuid, primary_key=True),
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("read_id", sa.Uuid, nullable=False),
        _time("at"),
    )
    op.create_index("ix_seen_calls_newest", "seen_calls", ["reader_id", "at"])
    op.create_index("ix_seen_calls_oldest", "seen_calls", ["at"])
    op.create_index("ix_seen_calls_call_id", "seen_calls", ["call_id"])
    op.create_table(
        "seen_minutes",
        sa.Column("reader_id", sa.Uuid, nullable=False),
        _time("minute"),
        sa.Column("listenings", sa.Integer, nullable=False),
        sa.Column("denials", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("reader_id", "minute"),
    )
    op.create_index("ix_seen_minutes_oldest", "seen_minutes", ["minute"])
    op.create_table(
        "seen_places",
        sa.Column("reader_id", sa.Uuid, primary_key=True),
        sa.Column("network", sa.String, primary_key=True),
        _time("first_at"),
        _time("last_at"),
    )
    op.create_table(
        "leak_signals",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("reader_id", sa.Uuid, sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("detail", JSONB, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        _time("at"),
        _time("lifted_at", nullable=True),
    )
    op.create_index("ix_leak_signals_newest", "leak_signals", ["tenant_id", "id"])
    op.create_index("ix_leak_signals_reader", "leak_signals", ["reader_id", "rule", "at"])
