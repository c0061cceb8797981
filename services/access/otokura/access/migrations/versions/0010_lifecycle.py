"""The end of recordings: holds, erasures, retention, and tombstones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from otokura.shared import tables

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_KINDS = "kind IN ('call','recording','transcript')"


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _id(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid, nullable=nullable)


def upgrade() -> None:
    tables.create_tombstones(op)
    op.add_column("calls", _time("recording_erased_at", nullable=True))
    op.add_column("calls", _time("transcript_erased_at", nullable=True))
    _holds()
    _erasures()
    _progress()
    op.create_table(
        "retentions",
        sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("rules", JSONB, nullable=False),
        _time("changed_at"),
    )


def _holds() -> None:
    op.create_table(
        "call_lifecycles",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        _id("tenant_id"),
        _time("erasing_at", nullable=True),
    )
    op.create_table(
        "holds",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("call_id", sa.Uuid, sa.ForeignKey("call_lifecycles.call_id"), nullable=False),
        _id("tenant_id"),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("case_number", sa.String),
        _id("set_by"),
        _time("set_at"),
        _time("ends_at", nullable=True),
        _id("lifted_by", nullable=True),
        _time("lifted_at", nullable=True),
        sa.Column("lifted_because", sa.String),
    )
    op.create_index("ix_holds_call", "holds", ["call_id"])
    op.create_index("ix_holds_newest", "holds", ["tenant_id", "id"])


def _erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", sa.Uuid, primary_key=True),
        _id("tenant_id"),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("selected_by", sa.String, nullable=False),
        sa.Column("ground", sa.String, nullable=False),
        sa.Column("reason", sa.String),
        _id("requested_by", nullable=True),
        _time("requested_at"),
        _time("withdrawn_at", nullable=True),
        sa.CheckConstraint(_KINDS, name="ck_erasures_kind"),
        sa.CheckConstraint("selected_by IN ('calls','customer','retention')", name="ck_erasures_selected_by"),
        sa.CheckConstraint(
            "(selected_by = 'retention') = (requested_by IS NULL)", name="ck_erasures_requester"
        ),
    )
    op.create_index("ix_erasures_newest", "erasures", ["tenant_id", "id"])
    op.create_table(
        "erasure_items",
        sa.Column("erasure_id", sa.Uuid, sa.ForeignKey("erasures.id"), primary_key=True),
        sa.Column("call_id", sa.Uuid, primary_key=True),
        _id("tenant_id"),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("waits_for", sa.String),
        _time("look_at", nullable=True),
        _time("begun_at", nullable=True),
    )
    op.create_index("ix_erasure_items_call", "erasure_items", ["call_id"])
    waiting = sa.text("look_at IS NOT NULL")
    op.create_index("ix_erasure_items_waiting", "erasure_items", ["look_at"], postgresql_where=waiting)


def _progress() -> None:
    op.create_table(
        "call_erasures",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        _id("tenant_id"),
        _id("erasure_id"),
        _time("begun_at"),
        sa.Column("kek_ids", ARRAY(sa.Text), nullable=False),
        _time("erased_at", nullable=True),
        _time("final_at", nullable=True),
        sa.CheckConstraint(_KINDS, name="ck_call_erasures_kind"),
    )
    unfinal = sa.text("kind = 'call' AND final_at IS NULL AND erased_at IS NOT NULL")
    op.create_index("ix_call_erasures_unfinal", "call_erasures", ["erased_at"], postgresql_where=unfinal)
    op.create_table(
        "erasure_confirmations",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("service", sa.String, primary_key=True),
        sa.Column("counts", JSONB, nullable=False),
        sa.Column("kek_ids", ARRAY(sa.Text), nullable=False),
        _time("shredded_at"),
        _time("applied_at"),
    )
    op.create_table("destroyed_keks", sa.Column("kek_id", sa.String, primary_key=True), _time("destroyed_at"))
