"""Identity providers of tenants, and who their subjects are."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "oidc_issuers",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("issuer", sa.String, nullable=False),
        sa.Column("settings", JSONB, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        _time("created_at"),
        sa.UniqueConstraint("tenant_id", "issuer"),
    )
    op.create_index("ix_oidc_issuers_issuer", "oidc_issuers", ["issuer"])
    op.create_table(
        "oidc_subjects",
        sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("issuer", sa.String, primary_key=True),
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("principal_id", sa.Uuid, sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("made", sa.Boolean, nullable=False),
        _time("token_at", nullable=True),
        _time("created_at"),
        sa.UniqueConstraint("tenant_id", "issuer", "principal_id"),
    )
    op.create_index("ix_oidc_subjects_principal_id", "oidc_subjects", ["principal_id"])
