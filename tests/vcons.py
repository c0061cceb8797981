"""What a vCon must be, written down from draft-ietf-vcon-vcon-core-04, and what one is made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from access_calls import manifest_of, started_of
from otokura.access.reads.vcon import Source
from otokura.shared.manifest import StoredObject

CALL = UUID("0199c0de-0000-7000-8000-000000000001")
COMPLETED = datetime(2026, 11, 24, 20, 0, 1, 250_000, tzinfo=UTC)
STARTED = datetime(2026, 11, 24, 19, 30, tzinfo=UTC)

_INDEX = {"type": "integer", "minimum": 0}
_HASH = {"type": ["string", "array"], "pattern": "^sha512-[A-Za-z0-9_-]{86}$"}
_DATE = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}
# §2.3: what is inline says how it is encoded, and what is text is text.
_CONTENT: dict[str, Any] = {
    "dependentRequired": {"body": ["encoding", "mediatype"], "url": ["content_hash"]},
    "properties": {
        "encoding": {"enum": ["base64url", "json", "none"]},
        "content_hash": _HASH,
        "mediatype": {"type": "string", "pattern": "^[a-z]+/[a-z0-9.+-]+$"},
        "url": {"type": "string", "pattern": "^https://"},
    },
}
_PARTY = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        # §4.2; `role` is of the extension CC.
        "tel": {"type": "string"},
        "name": {"type": "string"},
        "uuid": {"type": "string", "format": "uuid"},
        "type": {"enum": ["person", "bot", "organization"]},
        "role": {"type": "string"},
    },
}
_DIALOG = {
    "allOf": [_CONTENT],
    "type": "object",
    "required": ["type", "start"],
    "properties": {
        "type": {"enum": ["recording", "recording-set", "text", "transfer", "incomplete"]},
        "start": _DATE,
        "duration": {"type": "number", "minimum": 0},
        "parties": {"type": "array", "items": _INDEX},
        "originator": _INDEX,
    },
}
_ANALYSIS = {
    "allOf": [_CONTENT],
    "type": "object",
    "required": ["type", "vendor", "dialog", "body", "encoding"],
    "properties": {
        "type": {"enum": ["report", "sentiment", "summary", "transcript", "translation", "tts"]},
        "dialog": _INDEX,
        "vendor": {"type": "string", "minLength": 1},
        "product": {"type": "string"},
        "schema": {"type": "string"},
    },
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["uuid", "created_at"],
    "properties": {
        "vcon": {"const": "0.4.0"},
        "uuid": {"type": "string", "format": "uuid"},
        "extensions": {"type": "array", "items": {"type": "string"}},
        "critical": {"type": "array", "items": {"type": "string"}},
        "created_at": _DATE,
        "redacted": {
            "type": "object",
            "required": ["type"],
            "properties": {"uuid": {"type": "string", "format": "uuid"}, "type": {"type": "string"}},
        },
        "parties": {"type": "array", "items": _PARTY},
        "dialog": {"type": "array", "items": _DIALOG},
        "analysis": {"type": "array", "items": _ANALYSIS},
        "attachments": {"type": "array"},
    },
}


def source(*, redacted: bool = False, version: int = 1, **about: Any) -> Source:
    """An inbound call of an agent and a customer, or what `about` changes in it."""
    stored = StoredObject(
        bucket="recordings", name="r", media_type="audio/flac", plaintext_bytes=1, plaintext_sha256="0" * 64
    )
    started = started_of(CALL, UUID(int=2), started_at=STARTED, **about)
    manifest = manifest_of(started, stored, "1" * 64)
    return Source(manifest, version, COMPLETED, redacted)
