"""Feeds: subscriptions of analytics, what is to be published to them, and which had which call."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0003"
down_revision = "0002"


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _strings(name: str) -> sa.Column[object]:
    return sa.Column(name, ARRAY(sa.Text), nullable=False)


def upgrade() -> None:
    op.create_table(
        "feeds",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        _strings("fields"),
        sa.Column("redaction", sa.String, nullable=False),
        sa.Column("partials", sa.Boolean, nullable=False),
        _strings("principals"),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("provisioned_version", sa.Integer, nullable=False),
        sa.Column("problem", sa.String),
        _time("retry_at"),
        _time("created_at"),
        _time("changed_at"),
        _time("deleted_at", nullable=True),
        sa.CheckConstraint("redaction IN ('redacted','raw')", name="ck_feeds_redaction"),
    )
    living = sa.text("deleted_at IS NULL")
    op.create_index("ix_feeds_name", "feeds", ["tenant_id", "name"], unique=True, postgresql_where=living)
    _jobs()
    op.create_table(
        "feed_calls",
        sa.Column("feed_id", sa.Uuid, sa.ForeignKey("feeds.id"), primary_key=True),
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("live_entry_id", sa.Uuid),
        _time("first_at"),
    )
    op.create_index("ix_feed_calls_call", "feed_calls", ["call_id"])
    op.create_table(
        "feed_erasures",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        _time("erased_at"),
    )


def _jobs() -> None:
    op.create_table(
        "feed_jobs",
        sa.Column("feed_id", sa.Uuid, sa.ForeignKey("feeds.id"), primary_key=True),
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("announced", sa.Text),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        _time("not_before"),
        sa.Column("lease_id", sa.Uuid),
        _time("lease_until", nullable=True),
        sa.Column("reason", sa.String),
        _time("created_at"),
        _time("finished_at", nullable=True),
        sa.CheckConstraint("kind IN ('completed','partial','erased')", name="ck_feed_jobs_kind"),
        sa.CheckConstraint(
            "state IN ('queued','running','done','withheld','failed')", name="ck_feed_jobs_state"
        ),
        sa.CheckConstraint("(state = 'running') = (lease_id IS NOT NULL)", name="ck_feed_jobs_lease"),
        sa.CheckConstraint(
            "(state IN ('queued','running')) = (finished_at IS NULL)", name="ck_feed_jobs_finished"
        ),
    )
    waiting = sa.text("finished_at IS NULL")
    op.create_index("ix_feed_jobs_open", "feed_jobs", ["not_before"], postgresql_where=waiting)
    op.create_index("ix_feed_jobs_call", "feed_jobs", ["call_id"])
