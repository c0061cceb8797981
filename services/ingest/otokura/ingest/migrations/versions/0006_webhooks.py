"""Webhooks of vendors: endpoints, their signing secrets, and what is to be delivered to them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"


def _time(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _webhook_id(name: str = "webhook_id") -> sa.Column[object]:
    return sa.Column(name, sa.Uuid, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("client_id", sa.Uuid, nullable=False),
        sa.Column("url", sa.String, nullable=False),
        sa.Column("events", JSONB, nullable=False),
        sa.Column("description", sa.String),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("disabled_reason", sa.String),
        _time("disabled_at"),
        _time("failing_since"),
        _time("created_at", nullable=False),
        sa.CheckConstraint("state IN ('enabled','disabled')", name="ck_webhooks_state"),
        sa.CheckConstraint("disabled_reason IN ('gone','failing')", name="ck_webhooks_reason"),
        sa.CheckConstraint(
            "(state = 'disabled') = (disabled_reason IS NOT NULL)"
            " AND (state = 'disabled') = (disabled_at IS NOT NULL)",
            name="ck_webhooks_disabled",
        ),
    )
    op.create_index("ix_webhooks_client", "webhooks", ["client_id"])
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.Uuid, primary_key=True),
        _webhook_id(),
        sa.Column("kek_id", sa.String, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        _time("expires_at"),
    )
    op.create_index("ix_webhook_secrets_webhook", "webhook_secrets", ["webhook_id"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid, primary_key=True),
        _webhook_id(),
        sa.Column("event", sa.String, nullable=False),
        sa.Column("call_id", sa.Uuid),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.String),
        _time("last_attempt_at"),
        _time("next_attempt_at"),
        sa.Column("lease_id", sa.Uuid),
        _time("lease_until"),
        _time("created_at", nullable=False),
        sa.CheckConstraint("state IN ('pending','delivered','failed')", name="ck_webhook_deliveries_state"),
        sa.CheckConstraint(
            "(state = 'pending') = (next_attempt_at IS NOT NULL)", name="ck_webhook_deliveries_next"
        ),
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["webhook_id", "next_attempt_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_webhook_deliveries_list", "webhook_deliveries", ["webhook_id", "created_at", "id"])
    op.create_index("ix_webhook_deliveries_created", "webhook_deliveries", ["created_at"])


def downgrade() -> None:
    raise NotImplementedError("Recordings are evidence: a database of calls is restored, not rolled back.")
