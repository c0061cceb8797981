"""Every event that passes between the services: CloudEvents 1.0, Kafka binary mode.

An event's data is a model here; `TOPIC` and `TYPE` say where it travels and what it is called
(`otokura.<thing>.<past-tense>.v1`). Events carry ids, counts, hashes and object names. Personal
fields travel as ciphertext under a key derived from the call's DEK; unredacted text never travels.
Attributes and headers: CloudEvents Kafka protocol binding 1.0.2 §3.2.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Topic(StrEnum):
    """The Kafka topics; `<topic>.dlq` holds what could not be handled."""

    CALLS = "otokura.calls"
    LIVE = "otokura.live"
    RECORDINGS = "otokura.recordings"
    TRANSCRIPTS = "otokura.transcripts"
    KEYS = "otokura.keys"
    TENANTS = "otokura.tenants"
    ERASURES = "otokura.erasures"
    AUDIT = "otokura.audit"
    AUDIT_CHECKPOINTS = "otokura.audit.checkpoints"
    AUDIT_ALERTS = "otokura.audit.alerts"


class Role(StrEnum):
    """What a principal may be (design §6)."""

    VENDOR = "vendor"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ANALYST = "analyst"
    EVIDENCE_OFFICER = "evidence-officer"
    AUDITOR = "auditor"
    ADMIN = "admin"
    OPERATOR = "operator"


class Direction(StrEnum):
    """Who called whom, seen from the company."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class ChannelRole(StrEnum):
    """Whose voice a channel carries."""

    AGENT = "agent"
    CUSTOMER = "customer"
    MIXED = "mixed"


class EventData(BaseModel):
    """Base of all event data. Unknown members are ignored, so that a newer sender stays readable."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    TOPIC: ClassVar[Topic]
    TYPE: ClassVar[str]

    def partition_key(self) -> str:
        """The Kafka key: events with one key keep their order."""
        raise NotImplementedError


class CallEvent(EventData):
    """Base of events about one call; `version` grows with every change of the call."""

    call_id: UUID
    tenant_id: UUID
    version: int

    def partition_key(self) -> str:
        """The call's id."""
        return str(self.call_id)


class Channel(BaseModel):
    """One leg of a call."""

    model_config = ConfigDict(frozen=True)
    role: ChannelRole


class Notice(BaseModel):
    """How the caller was told that the call is recorded."""

    model_config = ConfigDict(frozen=True)
    given: Literal["announced", "attested", "none"] = "none"
    at: datetime | None = None
    version: str | None = Field(default=None, max_length=64)


class CallStarted(CallEvent):
    """A call is being recorded."""

    TOPIC = Topic.CALLS
    TYPE = "otokura.call.started.v1"
    external_id: str
    direction: Direction
    agent_id: str | None
    channels: list[Channel]
    notice: Notice
    purposes: list[str]
    language: str | None
    started_at: datetime
    personal: Base64Bytes | None
    """AES256-GCM-HKDF ciphertext (kind `event`) of `{"caller":…, "callee":…}`."""


class CallEnded(CallEvent):
    """No more audio will come; sealing follows."""

    TOPIC = Topic.CALLS
    TYPE = "otokura.call.ended.v1"
    ended_at: datetime


class CallSettled(CallEvent):
    """The call reached its one final state."""

    TOPIC = Topic.CALLS
    TYPE = "otokura.call.settled.v1"
    outcome: Literal["sealed", "failed", "empty"]
    reason: str | None = None
    settled_at: datetime


class RecordingSealed(CallEvent):
    """The recording object exists and will not change. `manifest` is `otokura.shared.manifest.Manifest`."""

    TOPIC = Topic.RECORDINGS
    TYPE = "otokura.recording.sealed.v1"
    manifest: dict[str, Any]
    manifest_sha256: Sha256Hex
    sealed_at: datetime


class KeyWrapped(CallEvent):
    """A call's DEK, wrapped by the tenant's KEK."""

    TOPIC = Topic.KEYS
    TYPE = "otokura.key.wrapped.v1"
    kek_id: str
    wrapped: Base64Bytes
    commitment: Sha256Hex


class TranscriptCompleted(CallEvent):
    """The transcript object exists. No text here.

    The object is encrypted under the key of kind `transcript` and bound to tenant, call, kind and `version`.
    """

    TOPIC = Topic.TRANSCRIPTS
    TYPE = "otokura.transcript.completed.v1"
    bucket: str
    object: str
    language: str
    turns: int
    words: int
    characters: int
    duration_ms: int
    plaintext_bytes: int
    plaintext_sha256: Sha256Hex
    engine: str
    model: str
    completed_at: datetime


class TranscriptFailed(CallEvent):
    """The recording could not be transcribed; it can still be heard."""

    TOPIC = Topic.TRANSCRIPTS
    TYPE = "otokura.transcript.failed.v1"
    reason: str
    failed_at: datetime


class Purpose(BaseModel):
    """A purpose for which recordings may be used, as it is told to callers."""

    model_config = ConfigDict(frozen=True)
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    label_ja: str = Field(max_length=200)
    label_en: str = Field(max_length=200)


class TenantSettings(BaseModel):
    """What a tenant's administrator sets; the last one wins."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    require_notice: bool = False
    purposes: list[Purpose] = Field(default_factory=list[Purpose])
    language: str | None = Field(default=None, pattern=r"^[a-z]{2}$")
    vocabulary: list[str] = Field(default_factory=list, max_length=200)


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
    """An API client of a vendor as it is now: the SHA-256 of its key, never the key."""

    TOPIC = Topic.TENANTS
    TYPE = "otokura.client.updated.v1"
    client_id: UUID
    tenant_id: UUID
    version: int
    name: str
    roles: list[Role]
    api_key_sha256: Sha256Hex | None
    disabled: bool = False

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
    """A token (by `jti`), or every token of a subject issued before `at`, is no longer good."""

    TOPIC = Topic.TENANTS
    TYPE = "otokura.token.revoked.v1"
    jti: str | None = None
    subject: UUID | None = None
    at: datetime

    def partition_key(self) -> str:
        """What is revoked."""
        return self.jti or str(self.subject)
