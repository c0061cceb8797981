"""What all events have in common, and the words that they share."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Topic(StrEnum):
    """The Kafka topics; `<topic>.dlq` holds what could not be handled."""

    CALLS = "otokura.calls"
    LIVE = "otokura.live"
    RECORDINGS = "otokura.recordings"
    TRANSCRIPTS = "otokura.transcripts"
    REQUESTS = "otokura.requests"
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
