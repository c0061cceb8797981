"""Every event that passes between the services: CloudEvents 1.0, Kafka binary mode.

An event's data is a model here; `TOPIC` and `TYPE` say where it travels and what it is called
(`otokura.<thing>.<past-tense>.v1`). Events carry ids, counts, hashes and object names. Personal
fields travel as ciphertext under a key derived from the call's DEK; unredacted text never travels.
Attributes and headers: CloudEvents Kafka protocol binding 1.0.2 §3.2.
"""

from __future__ import annotations

from otokura.shared.clients import Sha256Hex
from otokura.shared.events.base import (
    CallEvent,
    ChannelRole,
    Direction,
    EventData,
    Role,
    Topic,
)
from otokura.shared.events.calls import (
    CallEnded,
    CallSettled,
    CallStarted,
    Channel,
    KeyWrapped,
    Notice,
    RecordingSealed,
)
from otokura.shared.events.erasures import (
    CallErased,
    ErasedKind,
    ErasureApplied,
    ErasureRequested,
    KekDestroyed,
)
from otokura.shared.events.keys import KeyHolder, KeysRewrapped, KeysRotated
from otokura.shared.events.live import LiveChunk, TranscriptPartial
from otokura.shared.events.tenants import (
    ClientUpdated,
    IssuerUpdated,
    Purpose,
    TenantSettings,
    TenantUpdated,
    TokenRevoked,
)
from otokura.shared.events.transcription import (
    ModelName,
    TranscriptionProgressed,
    TranscriptionRequested,
    TranscriptionRetried,
)
from otokura.shared.events.transcripts import (
    TranscriptCompleted,
    TranscriptFailed,
)
from otokura.shared.redactions import RedactionPolicy

__all__ = [
    "CallEnded",
    "CallErased",
    "CallEvent",
    "CallSettled",
    "CallStarted",
    "Channel",
    "ChannelRole",
    "ClientUpdated",
    "Direction",
    "ErasedKind",
    "ErasureApplied",
    "ErasureRequested",
    "EventData",
    "IssuerUpdated",
    "KekDestroyed",
    "KeyHolder",
    "KeyWrapped",
    "KeysRewrapped",
    "KeysRotated",
    "LiveChunk",
    "ModelName",
    "Notice",
    "Purpose",
    "RecordingSealed",
    "RedactionPolicy",
    "Role",
    "Sha256Hex",
    "TenantSettings",
    "TenantUpdated",
    "TokenRevoked",
    "Topic",
    "TranscriptCompleted",
    "TranscriptFailed",
    "TranscriptPartial",
    "TranscriptionProgressed",
    "TranscriptionRequested",
    "TranscriptionRetried",
]
