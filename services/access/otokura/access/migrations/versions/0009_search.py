"""The index of what was said, by keyed hashes; every transcript that there is waits to be indexed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "search_keys",
        sa.Column("tenant_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, nullable=False, unique=True),
        sa.Column("kek_id", sa.String, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        _time("created_at"),
    )
    _index()
    _jobs()


def _index() -> None:
    op.create_table(
        "search_index",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        _time("started_at"),
        sa.Column("agent_id", sa.String),
        sa.Column("hashes", ARRAY(sa.Integer), nullable=False),
    )
    # A search reads many rows and few hashes: these lie apart, and hashes do not compress.
    op.execute("ALTER TABLE search_index ALTER COLUMN hashes SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE search_index SET (toast_tuple_target = 128)")
    # Statistics of hashes tell the planner nothing that it needs, and take long to make.
    op.execute("ALTER TABLE search_index ALTER COLUMN hashes SET STATISTICS 0")
    op.create_index(
        "ix_search_index_hashes",
        "search_index",
        ["hashes"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )


def _jobs() -> None:
    op.create_table(
        "search_jobs",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        _time("not_before"),
        sa.Column("lease_id", sa.Uuid),
        _time("lease_until", nullable=True),
        sa.Column("reason", sa.String),
        _time("created_at"),
        _time("finished_at", nullable=True),
        sa.CheckConstraint(
            "state IN ('queued','running','done','failed','erased')", name="ck_search_jobs_state"
        ),
        sa.CheckConstraint("(state = 'running') = (lease_id IS NOT NULL)", name="ck_search_jobs_lease"),
        sa.CheckConstraint(
            "(state IN ('queued','running')) = (finished_at IS NULL)", name="ck_search_jobs_finished"
        ),
    )
    waiting = sa.text("finished_at IS NULL")
    op.create_index("ix_search_jobs_open", "search_jobs", ["not_before"], postgresql_where=waiting)
    op.execute(
        "INSERT INTO search_jobs (call_id, tenant_id, version, state, attempts, failures, not_before, created_at)"
        " SELECT call_id, tenant_id, version, 'queued', 0, 0, now(), now()"
        " FROM transcripts WHERE event IS NOT NULL"
    )
    op.execute(
        "INSERT INTO search_jobs"
        " (call_id, tenant_id, version, state, attempts, failures, not_before, created_at, finished_at)"
        " SELECT call_id, tenant_id, 0, 'erased', 0, 0, erased_at, erased_at, erased_at FROM feed_erasures"
        " ON CONFLICT (call_id) DO UPDATE SET state = 'erased', finished_at = excluded.finished_at"
    )
