"""What vendors register about their phone systems, AudioSocket's capabilities, and used nonces."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    op.create_table(
        "connections",
        sa.Column("client_id", sa.Uuid, primary_key=True),
        sa.Column("dialect", sa.String, primary_key=True),
        sa.Column("id", sa.Uuid, nullable=False, unique=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("settings", JSONB, nullable=False),
        sa.Column("kek_id", sa.String),
        sa.Column("wrapped_key", sa.LargeBinary),
        sa.Column("secret", sa.LargeBinary),
        sa.Column("version", sa.BigInteger, nullable=False),
        _time("created_at"),
        _time("updated_at"),
        sa.CheckConstraint(
            "(kek_id IS NULL) = (secret IS NULL) AND (wrapped_key IS NULL) = (secret IS NULL)",
            name="ck_connections_secret",
        ),
    )
    op.create_table(
        "audio_sockets",
        sa.Column("uuid_sha256", sa.LargeBinary, primary_key=True),
        sa.Column("call_id", sa.Uuid, sa.ForeignKey("calls.id"), nullable=False),
        sa.Column("client_id", sa.Uuid, nullable=False),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("channel", sa.Integer, nullable=False),
        _time("created_at"),
        _time("expires_at"),
        sa.CheckConstraint("channel IN (0, 1)", name="ck_audio_sockets_channel"),
    )
    op.create_index("ix_audio_sockets_call_id", "audio_sockets", ["call_id"])
    op.create_table(
        "used_nonces",
        sa.Column("client_id", sa.Uuid, primary_key=True),
        sa.Column("nonce_sha256", sa.LargeBinary, primary_key=True),
        _time("expires_at"),
    )
    op.create_index("ix_used_nonces_expires_at", "used_nonces", ["expires_at"])


def downgrade() -> None:
    raise NotImplementedError("Recordings are evidence: a database of calls is restored, not rolled back.")
