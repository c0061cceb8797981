"""The events of tenants, their settings, their clients and the tokens of people."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from otokura.shared.clients import ClientKey, ClientLimits, Sha256Hex
from otokura.shared.customer_keys import CustomerKey
from otokura.shared.events.base import EventData, Role, Topic
from otokura.shared.insight.settings import InsightRules
from otokura.shared.leak_rules import LeakRules
from otokura.shared.publication import Company, Contact, Text
from otokura.shared.redactions import RedactionPolicy

PURPOSE_NAME = r"^[a-z][a-z0-9-]{0,62}$"


class Purpose(BaseModel):
    """A purpose for which recordings may be used, as it is told to callers."""

    model_config = ConfigDict(frozen=True)
    name: str = Field(pattern=PURPOSE_NAME)
    label_ja: str = Field(max_length=200)
    label_en: str = Field(max_length=200)


class TenantSettings(BaseModel):
    """What a tenant's administrator sets; the last one wins."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    require_notice: bool = False
    """No audio is recorded before the caller was told."""
    require_purpose: bool = False
    """A call names at least one purpose."""
    purposes: list[Purpose] = Field(default_factory=list[Purpose])
    notice_version: str | None = Field(default=None, pattern=r"^[\x21-\x7e]{1,64}$")
    """Of the published notice and the announcement; callers' systems repeat it with each call."""
    retention_days: int | None = Field(default=None, ge=1, le=36_500)
    """How long recordings are kept, as it is published."""
    company: Company | None = None
    contact: Contact | None = None
    requests_ja: Text | None = None
    """How to ask for disclosure, correction or deletion, and what it costs."""
    requests_en: Text | None = None
    language: str | None = Field(default=None, pattern=r"^[a-z]{2}$")
    vocabulary: list[str] = Field(default_factory=list, max_length=200)
    live_transcripts: bool = False
    """Calls can be read while they last: their audio is also sent on, encrypted, to be heard at once."""
    require_second_factor: bool = True
    """People log in to Otokura itself with a code of their authenticator app, beside the password."""
    audiohook_transcripts: str | None = Field(default=None, pattern=PURPOSE_NAME)
    """The purpose for which live text goes back to Genesys over AudioHook, of calls whose caller was told of
    it; None: it does not. Needs `live_transcripts`."""
    redaction: RedactionPolicy = RedactionPolicy()
    """What is not taken out of the text and audio that analysts and feeds get."""
    customer_key: CustomerKey | None = None
    """The tenant's own public key: recordings sealed from then on can be opened by its holder alone, once
    they are transcribed."""
    insight_rules: InsightRules = InsightRules()
    """What changes in the rules by which words of a call become findings."""
    break_glass_minutes: int = Field(default=60, ge=1, le=480)
    """For how long broken glass opens calls at most."""
    leak_rules: LeakRules = LeakRules()
    """What changes in the rules by which reading is taken for a leak."""
    audit_detail_days: int = Field(default=1_826, ge=365, le=36_500)
    """How long the audit log keeps who did what, where and why; its leaves stay. Not less than a year: so
    long a history is asked for by PCI DSS 10.5.1."""


class TenantUpdated(EventData):
    """A tenant as it is now. `version` grows; a smaller one is ignored."""

    TOPIC = Topic.TENANTS
    TYPE = "otokura.tenant.updated.v1"
    tenant_id: UUID
    version: int
    name: str
    disabled: bool = False
    settings: TenantSettings

    def partition_key(self) -> str:
        """The tenant's id."""
        return str(self.tenant_id)


class ClientUpdated(EventData):
    """An API client of a vendor as it is now: the SHA-256 of its keys, never a key."""

    TOPIC = Topic.TENANTS
    TYPE = "otokura.client.updated.v1"
    client_id: UUID
    tenant_id: UUID
    version: int
    name: str
    roles: list[Role]
    api_keys: list[ClientKey] = Field(default_factory=list[ClientKey])
    limits: ClientLimits = ClientLimits()
    disabled: bool = False
    api_key_sha256: Sha256Hex | None = None
    """The one key that there was before `api_keys`: read from old events, and told to old readers."""

    @model_validator(mode="before")
    @classmethod
    def _from_before(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        told = cast("dict[str, Any]", data)
        if "api_keys" in told or not told.get("api_key_sha256"):
            return told
        return {**told, "api_keys": [{"sha256": told["api_key_sha256"]}]}

    def partition_key(self) -> str:
        """The client's id."""
        return str(self.client_id)


class IssuerUpdated(EventData):
    """The keys with which Otokura's tokens verify (JWKS, RFC 7517), so that no service has to ask access."""

    TOPIC = Topic.TENANTS
    TYPE = "otokura.issuer.updated.v1"
    issuer: str
    version: int
    jwks: dict[str, Any]

    def partition_key(self) -> str:
        """The issuer."""
        return self.issuer


class TokenRevoked(EventData):
    """A token (by `jti`), or every token of a subject issued before `at`, is no longer good.

    The id of a session as `jti` means all tokens of the session: their ids begin with it and a dot.
    """

    TOPIC = Topic.TENANTS
    TYPE = "otokura.token.revoked.v1"
    jti: str | None = None
    subject: UUID | None = None
    at: datetime

    def partition_key(self) -> str:
        """What is revoked."""
        return self.jti or str(self.subject)
