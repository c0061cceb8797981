"""Tenants, principals, zones and the read model, beside the tables that every service has."""

import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from otokura.shared import tables

revision = "0001"
down_revision = None


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    operations = Operations(op.get_context())
    tables.create_messaging(operations)
    tables.create_idempotency(operations)
    _create_tenants_and_principals()
    _create_credentials()
    _create_zones()
    _create_read_model()
    _create_keys_and_transcripts()


def _create_tenants_and_principals() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("settings", JSONB, nullable=False),
        _time("created_at"),
    )
    op.create_table(
        "principals",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id")),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("roles", ARRAY(sa.Text), nullable=False),
        sa.Column("team", sa.String),
        sa.Column("secret_sha256", sa.String, nullable=False),
        sa.Column("api_key_sha256", sa.String),
        sa.Column("version", sa.Integer, nullable=False),
        _time("created_at"),
        _time("disabled_at", nullable=True),
    )
    op.create_index("ix_principals_tenant_id", "principals", ["tenant_id"])
    op.create_table(
        "agent_aliases",
        sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), primary_key=True),
        sa.Column("agent_id", sa.String, primary_key=True),
        sa.Column("principal_id", sa.Uuid, sa.ForeignKey("principals.id"), nullable=False),
    )
    op.create_index("ix_agent_aliases_principal_id", "agent_aliases", ["principal_id"])


def _create_credentials() -> None:
    op.create_table(
        "revoked_tokens",
        sa.Column("jti", sa.String, primary_key=True),
        _time("expires_at"),
    )
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.String, primary_key=True),
        sa.Column("jwk", JSONB, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        _time("added_at"),
        _time("retired_at", nullable=True),
    )
    op.create_table(
        "bootstrap_tokens",
        sa.Column("token_sha256", sa.String, primary_key=True),
        _time("seen_at"),
        _time("used_at", nullable=True),
    )


def _create_zones() -> None:
    op.create_table(
        "zones",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, sa.ForeignKey("tenants.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("networks", ARRAY(sa.Text), nullable=False),
        _time("valid_from", nullable=True),
        _time("valid_until", nullable=True),
        _time("created_at"),
        sa.UniqueConstraint("tenant_id", "name"),
    )


def _create_read_model() -> None:
    op.create_table(
        "calls",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("started_version", sa.BigInteger, nullable=False, server_default="-1"),
        sa.Column("external_id", sa.String),
        sa.Column("direction", sa.String),
        sa.Column("agent_id", sa.String),
        sa.Column("channels", JSONB),
        sa.Column("notice", JSONB),
        sa.Column("purposes", ARRAY(sa.Text)),
        sa.Column("language", sa.String),
        _time("started_at", nullable=True),
        sa.Column("personal", sa.LargeBinary),
        sa.Column("ended_version", sa.BigInteger, nullable=False, server_default="-1"),
        _time("ended_at", nullable=True),
        sa.Column("settled_version", sa.BigInteger, nullable=False, server_default="-1"),
        sa.Column("outcome", sa.String),
        sa.Column("failure", sa.String),
        _time("settled_at", nullable=True),
        sa.Column("sealed_version", sa.BigInteger, nullable=False, server_default="-1"),
        sa.Column("manifest", JSONB),
        sa.Column("manifest_sha256", sa.String),
        _time("sealed_at", nullable=True),
    )
    op.create_index("ix_calls_newest", "calls", ["tenant_id", "started_at", "call_id"])
    op.create_index("ix_calls_agent", "calls", ["tenant_id", "agent_id"])


def _create_keys_and_transcripts() -> None:
    op.create_table(
        "call_keys",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("kek_id", sa.String, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("commitment", sa.String, nullable=False),
    )
    op.create_table(
        "transcripts",
        sa.Column("call_id", sa.Uuid, primary_key=True),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("event", JSONB),
        sa.Column("failure", sa.String),
        _time("completed_at", nullable=True),
    )
