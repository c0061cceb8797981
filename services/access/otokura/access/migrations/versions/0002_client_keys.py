"""Several keys for a vendor's client, secrets that can be changed, and limits.

The key that stood in `principals` becomes the first of `api_keys`. While access is replaced, its old
instances cannot serve any more: calls are recorded meanwhile, and readers wait for the new ones.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("principal_id", sa.Uuid, sa.ForeignKey("principals.id"), nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        _time("created_at"),
        _time("expires_at", nullable=True),
        _time("withdrawn_at", nullable=True),
    )
    op.create_index("ix_api_keys_principal_id", "api_keys", ["principal_id"])
    op.execute(
        "INSERT INTO api_keys (id, principal_id, sha256, created_at)"
        " SELECT gen_random_uuid(), id, api_key_sha256, created_at FROM principals"
        " WHERE api_key_sha256 IS NOT NULL"
    )
    op.drop_column("principals", "api_key_sha256")
    op.add_column("principals", sa.Column("limits", JSONB, nullable=False, server_default="{}"))
    op.alter_column("principals", "limits", server_default=None)  # only rows from before need it
    op.add_column("principals", sa.Column("old_secret_sha256", sa.String))
    op.add_column("principals", _time("old_secret_until", nullable=True))
    op.add_column("principals", _time("tokens_since", nullable=True))
