"""The events of a call from its start to its sealed recording, and its key."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from otokura.shared.clients import Sha256Hex
from otokura.shared.customer_keys import CustomerCopy
from otokura.shared.events.base import CallEvent, ChannelRole, Direction, Topic


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
    customer_key: CustomerCopy | None = None
    """The DEK for the tenant's own key: then the services destroy their copies when it is transcribed."""


class KeyWrapped(CallEvent):
    """A call's DEK, wrapped by the tenant's KEK."""

    TOPIC = Topic.KEYS
    TYPE = "otokura.key.wrapped.v1"
    kek_id: str
    wrapped: Base64Bytes
    commitment: Sha256Hex
