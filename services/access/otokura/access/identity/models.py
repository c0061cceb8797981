"""Tables of principals, credentials and signing keys. Secrets are kept as SHA-256, never as they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from otokura.access.models import Table, moment


class PrincipalRecord(Table, table=True):
    """A person or a client. `disabled_at` ends every token and key at once."""

    __tablename__ = "principals"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    id: UUID = Field(primary_key=True)
    tenant_id: UUID | None = Field(default=None, foreign_key="tenants.id", index=True)
    name: str
    kind: str
    roles: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    team: str | None = None
    secret_sha256: str
    old_secret_sha256: str | None = None
    old_secret_until: datetime | None = moment(nullable=True)
    """Until then the secret before is good, too."""
    tokens_since: datetime | None = moment(nullable=True)
    """Tokens that were made before are good no more."""
    limits: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    """As `otokura.shared.clients.ClientLimits`."""
    version: int
    created_at: datetime = moment()
    disabled_at: datetime | None = moment(nullable=True)
    paused_at: datetime | None = moment(nullable=True)
    """Since then nothing is read by them: a leak signal's rule demands it."""


class ApiKeyRecord(Table, table=True):
    """One API key of a vendor's client."""

    __tablename__ = "api_keys"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    id: UUID = Field(primary_key=True)
    principal_id: UUID = Field(foreign_key="principals.id", index=True)
    sha256: str
    created_at: datetime = moment()
    expires_at: datetime | None = moment(nullable=True)
    withdrawn_at: datetime | None = moment(nullable=True)


class AgentAlias(Table, table=True):
    """A phone system's name for a person. One name belongs to one person of a tenant."""

    __tablename__ = "agent_aliases"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    tenant_id: UUID = Field(primary_key=True, foreign_key="tenants.id")
    agent_id: str = Field(primary_key=True)
    principal_id: UUID = Field(foreign_key="principals.id", index=True)


class RevokedToken(Table, table=True):
    """One token taken back before its time. The row may go when the token would have expired."""

    __tablename__ = "revoked_tokens"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    jti: str = Field(primary_key=True)
    expires_at: datetime = moment()


class SigningKey(Table, table=True):
    """A public key with which tokens verify. `version` is that of `IssuerUpdated`."""

    __tablename__ = "signing_keys"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    kid: str = Field(primary_key=True)
    jwk: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    version: int
    added_at: datetime = moment()
    retired_at: datetime | None = moment(nullable=True)


class BootstrapToken(Table, table=True):
    """A bootstrap token that this installation has seen: it works once, and not for long."""

    __tablename__ = "bootstrap_tokens"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    token_sha256: str = Field(primary_key=True)
    seen_at: datetime = moment()
    used_at: datetime | None = moment(nullable=True)
