"""The tables in which a service keeps what `otokura.tenants` tells it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

directory_metadata = MetaData()

tenants = Table(
    "tenants",
    directory_metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("settings", JSONB, nullable=False),
)

clients = Table(
    "clients",
    directory_metadata,
    Column("client_id", Uuid, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("roles", JSONB, nullable=False),
    Column("api_key_sha256", Text, nullable=True),
    Column("disabled", Boolean, nullable=False),
    Column("api_keys", JSONB(none_as_null=True), nullable=True),
    Column("limits", JSONB(none_as_null=True), nullable=True),
)

issuer_keys = Table(
    "issuer_keys",
    directory_metadata,
    Column("issuer", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("jwks", JSONB, nullable=False),
)

revocations = Table(
    "revocations",
    directory_metadata,
    # `jti:<jti>` or `subject:<uuid>`
    Column("revoked", Text, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("revocations_at", "at"),
)
