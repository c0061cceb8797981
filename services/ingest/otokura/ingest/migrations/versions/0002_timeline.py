"""Pauses, an end that waits for stored audio, samples as they came, gaps of one channel, drift."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("calls", sa.Column("end_asked_at", sa.DateTime(timezone=True)))
    op.add_column("calls", sa.Column("paused", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("calls", sa.Column("gate", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("calls", sa.Column("gate_heard", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("calls", sa.Column("drift", JSONB))
    op.create_index(
        "ix_calls_live", "calls", ["client_id", "external_id"], postgresql_where=sa.text("state = 'live'")
    )
    op.add_column("pieces", sa.Column("encoding", sa.String, nullable=False, server_default="pcm_s16le"))
    op.add_column("pieces", sa.Column("absent", JSONB))
    for table, column in (
        ("calls", "paused"),
        ("calls", "gate"),
        ("calls", "gate_heard"),
        ("pieces", "encoding"),
    ):
        op.alter_column(table, column, server_default=None)  # only rows from before need it
    op.create_check_constraint("ck_pieces_encoding", "pieces", "encoding IN ('pcm_s16le','mulaw','alaw')")
    op.drop_constraint("ck_pieces_gap", "pieces")
    op.create_check_constraint(
        "ck_pieces_gap", "pieces", "gap IN ('lost','paused','discarded','unannounced')"
    )


def downgrade() -> None:
    raise NotImplementedError("Recordings are evidence: a database of calls is restored, not rolled back.")
