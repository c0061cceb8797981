"""People log in: invitations, logins, what counts against guessing, sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    _create_logins()
    _create_tries()
    _create_sessions()


def _create_logins() -> None:
    op.create_table(
        "logins",
        sa.Column("principal_id", sa.Uuid, sa.ForeignKey("principals.id"), primary_key=True),
        sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("password_hash", sa.String, nullable=False),
        sa.Column("kek_id", sa.String),
        sa.Column("wrapped", sa.LargeBinary),
        sa.Column("last_step", sa.BigInteger, nullable=False),
        _time("changed_at"),
        _time("reset_at", nullable=True),
        sa.UniqueConstraint("tenant_id", "name"),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("principal_id", sa.Uuid, sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("login", sa.String, nullable=False),
        sa.Column("token_sha256", sa.String, nullable=False, unique=True),
        sa.Column("keeps_password", sa.Boolean, nullable=False),
        sa.Column("password_hash", sa.String),
        sa.Column("kek_id", sa.String),
        sa.Column("wrapped", sa.LargeBinary),
        _time("created_at"),
        _time("expires_at"),
        _time("accepted_at", nullable=True),
        _time("withdrawn_at", nullable=True),
    )
    op.create_index("ix_invitations_principal_id", "invitations", ["principal_id"])


def _create_tries() -> None:
    op.create_table(
        "login_tries",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        _time("at"),
    )
    op.create_index("ix_login_tries_account", "login_tries", ["account", "at"])
    op.create_index("ix_login_tries_at", "login_tries", ["at"])
    op.create_table(
        "login_origins",
        sa.Column("principal_id", sa.Uuid, sa.ForeignKey("principals.id"), primary_key=True),
        sa.Column("origin", sa.String, primary_key=True),
        _time("last_at"),
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("principal_id", sa.Uuid, sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("family_sha256", sa.String, nullable=False),
        sa.Column("once_sha256", sa.String, nullable=False),
        sa.Column("second_factor", sa.Boolean, nullable=False),
        sa.Column("network", sa.String, nullable=False),
        _time("began_at"),
        _time("used_at"),
        _time("expires_at"),
        _time("ended_at", nullable=True),
        sa.Column("ended_why", sa.String),
    )
    op.create_index("ix_sessions_principal_id", "sessions", ["principal_id"])
