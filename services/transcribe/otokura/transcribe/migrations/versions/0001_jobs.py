"""Jobs and call keys, beside the tables that services share."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from otokura.shared import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    tables.create_messaging(op)
    tables.create_directory(op)
    now = sa.func.now()
    op.create_table(
        "jobs",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("manifest", JSONB, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("takeovers", sa.Integer, nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("lease_id", sa.Uuid),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.String),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("state IN ('queued','running','done','failed')", name="ck_jobs_state"),
        sa.CheckConstraint("(state = 'running') = (lease_id IS NOT NULL)", name="ck_jobs_lease"),
        sa.CheckConstraint(
            "(state IN ('done','failed')) = (finished_at IS NOT NULL)", name="ck_jobs_finished"
        ),
    )
    op.create_index("ix_jobs_open", "jobs", ["created_at"], postgresql_where=sa.text("finished_at IS NULL"))
    op.create_table(
        "call_keys",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("kek_id", sa.String, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
    )
