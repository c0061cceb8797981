"""Recordings beside their jobs, so that one can be transcribed again; requests for that; and who works.

The job that there was for each call is its first; its id is the call's. While transcribe is replaced, its old
instances cannot take jobs any more: recordings wait meanwhile.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0003"
down_revision = "0002"


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    _create_recordings()
    _create_requests_and_workers()
    _extend_jobs()


def _create_recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("manifest", JSONB, nullable=False),
        _time("started_at"),
        sa.Column("last_version", sa.Integer, nullable=False),
        sa.Column("job_id", sa.Uuid),
    )
    op.create_index("ix_recordings_started", "recordings", ["started_at"])
    op.execute(
        "INSERT INTO recordings (call_id, tenant_id, manifest, started_at, last_version, job_id)"
        " SELECT call_id, tenant_id, manifest, (manifest->>'started_at')::timestamptz, attempts,"
        " CASE WHEN state = 'running' THEN call_id END FROM jobs"
    )


def _create_requests_and_workers() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid),
        sa.Column("model", sa.String),
        _time("requested_at"),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("told", JSONB),
        sa.Column("settled", sa.Boolean, nullable=False),
    )
    op.create_index("ix_requests_open", "requests", ["id"], postgresql_where=sa.text("NOT settled"))
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("models", ARRAY(sa.Text), nullable=False),
        _time("seen_at"),
    )


def _extend_jobs() -> None:
    op.add_column("jobs", sa.Column("id", sa.Uuid))
    op.add_column("jobs", sa.Column("lane", sa.String, nullable=False, server_default="fresh"))
    op.add_column("jobs", sa.Column("request_id", sa.Uuid))
    op.add_column("jobs", sa.Column("model", sa.String))
    op.add_column("jobs", _time("rank", nullable=True))
    op.add_column("jobs", sa.Column("versions", ARRAY(sa.Integer), nullable=False, server_default="{}"))
    op.add_column("jobs", sa.Column("made_with", sa.String))
    op.execute(
        "UPDATE jobs SET id = call_id, versions = ARRAY(SELECT generate_series(1, attempts)),"
        " rank = created_at + (manifest->>'duration_ms')::bigint * interval '0.25 ms'"
    )
    # Only rows from before need these.
    op.alter_column("jobs", "lane", server_default=None)
    op.alter_column("jobs", "versions", server_default=None)
    op.alter_column("jobs", "id", nullable=False)
    op.alter_column("jobs", "rank", nullable=False)
    op.drop_constraint("jobs_pkey", "jobs")
    op.create_primary_key("jobs_pkey", "jobs", ["id"])
    op.create_foreign_key(
        "fk_jobs_recording", "jobs", "recordings", ["call_id"], ["call_id"], ondelete="CASCADE"
    )
    op.create_check_constraint("ck_jobs_lane", "jobs", "lane IN ('fresh','again')")
    op.drop_column("jobs", "manifest")
    op.drop_index("ix_jobs_open", "jobs")
    open_only = sa.text("finished_at IS NULL")
    op.create_index("ix_jobs_open", "jobs", ["lane", "rank", "id"], postgresql_where=open_only)
    op.create_index("ix_jobs_call", "jobs", ["call_id"])
    op.create_index("ix_jobs_request", "jobs", ["request_id"])
