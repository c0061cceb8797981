"""Every version of a transcript is kept, and who asked for it; a failure has a version of its own.

Until now a failure that came after a transcript took over its version: there it is set apart again.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "transcript_versions",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("event", JSONB, nullable=False),
        sa.Column("request_id", sa.Uuid),
        _time("completed_at"),
    )
    op.add_column(
        "transcripts", sa.Column("failed_version", sa.BigInteger, nullable=False, server_default="-1")
    )
    op.execute("UPDATE transcripts SET failed_version = version WHERE failure IS NOT NULL")
    op.execute("UPDATE transcripts SET version = coalesce((event->>'version')::bigint, -1)")
    op.alter_column("transcripts", "version", server_default="-1")
    op.execute(
        "INSERT INTO transcript_versions (call_id, version, tenant_id, event, completed_at)"
        " SELECT call_id, version, tenant_id, event, completed_at FROM transcripts WHERE event IS NOT NULL"
    )
    op.create_table(
        "transcription_requests",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid),
        sa.Column("model", sa.String),
        sa.Column("call_id", sa.Uuid),
        _time("since", nullable=True),
        _time("until", nullable=True),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("matching", sa.Integer, nullable=False),
        sa.Column("requested_by", sa.Uuid, nullable=False),
        _time("requested_at"),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("progress", JSONB),
    )
