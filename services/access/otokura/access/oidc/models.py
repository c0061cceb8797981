"""The tables of identity providers and of those who come by them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from otokura.access.models import Table, moment


class OidcIssuerRecord(Table, table=True):
    """An identity provider that a tenant trusts."""

    __tablename__ = "oidc_issuers"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (UniqueConstraint("tenant_id", "issuer"), Index("ix_oidc_issuers_issuer", "issuer"))

    id: UUID = Field(primary_key=True)
    tenant_id: UUID = Field(foreign_key="tenants.id")
    issuer: str
    settings: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    """As `otokura.access.oidc.trust.IssuerSettings`."""
    version: int
    created_at: datetime = moment()


class OidcSubject(Table, table=True):
    """Who a subject of an issuer is. It outlives the issuer's configuration: disabled stays disabled."""

    __tablename__ = "oidc_subjects"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (UniqueConstraint("tenant_id", "issuer", "principal_id"),)

    tenant_id: UUID = Field(primary_key=True, foreign_key="tenants.id")
    issuer: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    principal_id: UUID = Field(foreign_key="principals.id", index=True)
    made: bool
    """The principal was made at its first token, and has no secret that anybody knows."""
    token_at: datetime | None = moment(nullable=True)
    """When the newest token that was seen was made: what an older one says counts no more."""
    created_at: datetime = moment()
