"""The events of the log: entries on their way to it, and what it publishes.

See `otokura.shared.events` for what all events have in common.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from otokura.shared.events import EventData, Topic

AlertKind: TypeAlias = Literal[
    "gap",
    "bad-signature",
    "silent-source",
    "integrity",
    "break-glass",
    "leak-signal",
    "rejected",
    "conflict",
    "clock",
    "late-entry",
    "witness-conflict",
    "witness-silent",
    "overwritten",
    "unmatched",
]
"""What there is to look at; docs/alerts.md says of each what it means and what to do."""


class AuditRecorded(EventData):
    """One signed, numbered entry on its way to the log; see `otokura.shared.audit`.

    `source` is `<service>/<instance uuid>`; numbers start at 1 in each instance and leave no hole.
    `signature` is Ed25519 over the RFC 8785 canonical JSON of all other members. The CloudEvents id
    equals `entry_id`.
    """

    TOPIC = Topic.AUDIT
    TYPE = "otokura.audit.recorded.v1"
    entry_id: UUID
    source: str
    seq: int = Field(ge=1)
    time: datetime
    tenant_id: UUID | None
    action: str
    reader: str | None
    call_id: UUID | None
    detail: dict[str, Any]
    signature: Base64Bytes

    def partition_key(self) -> str:
        """The source: its entries keep their order."""
        return self.source


class AuditHeartbeat(EventData):
    """A source lives, and `last_seq` is the last number it gave. Signed like an entry; not a leaf."""

    TOPIC = Topic.AUDIT
    TYPE = "otokura.audit.heartbeat.v1"
    source: str
    last_seq: int = Field(ge=0)
    time: datetime
    closed: bool = False
    signature: Base64Bytes

    def partition_key(self) -> str:
        """The source."""
        return self.source


class ReadsOfTenant(BaseModel):
    """Reads of one tenant's calls since the instance started.

    Attributes:
        served: whose first byte left, or was about to.
        unserved: whose entry was acknowledged, and of which nothing left.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    served: int = Field(ge=0)
    unserved: int = Field(ge=0)


class AuditCounted(EventData):
    """How many reads a source has counted where bytes leave; signed like an entry; not a leaf.

    When it was made, all of these had an entry with a number of at most `last_seq`. Tenants whose counts did
    not change are left out.
    """

    TOPIC = Topic.AUDIT
    TYPE = "otokura.audit.counted.v1"
    source: str
    last_seq: int = Field(ge=0)
    time: datetime
    reads: dict[UUID, ReadsOfTenant]
    signature: Base64Bytes

    def partition_key(self) -> str:
        """The source: it comes after the entries."""
        return self.source


class CheckpointPublished(EventData):
    """A signed checkpoint (C2SP tlog-checkpoint) as it was published."""

    TOPIC = Topic.AUDIT_CHECKPOINTS
    TYPE = "otokura.checkpoint.published.v1"
    origin: str
    size: int
    checkpoint: str

    def partition_key(self) -> str:
        """The log's origin."""
        return self.origin


class AuditAlerted(EventData):
    """Something to look at; docs/alerts.md has every kind.

    For broken glass and leak signals `detail` names the entry that tells all of it, and `source` the service
    that wrote it. What may come in floods is counted: `detail` has `code` and `count`, and is published when
    it is first seen and whenever the count has one digit more.
    """

    TOPIC = Topic.AUDIT_ALERTS
    TYPE = "otokura.audit.alerted.v1"
    kind: AlertKind
    source: str
    detail: dict[str, Any]
    at: datetime

    def partition_key(self) -> str:
        """The source concerned."""
        return self.source
