"""What an audit entry says, and the signature over it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias, cast
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import to_jsonable_python

from otokura.shared.audit_events import AuditCounted, AuditHeartbeat, AuditRecorded
from otokura.shared.canonical_json import canonical_json

Signed: TypeAlias = AuditRecorded | AuditHeartbeat | AuditCounted
"""What a source signs."""

ENTRY_ID = "Otokura-Entry-Id"
"""The header of an answer that names the entry which says what was given."""


class Action(StrEnum):
    """What can be written down."""

    SOURCE_OPENED = "source.opened"
    SOURCE_CLOSED = "source.closed"
    SHARD_OPENED = "shard.opened"
    READ_OPENED = "read.opened"
    READ_CLOSED = "read.closed"
    READ_DENIED = "read.denied"
    CALLS_SEARCHED = "calls.searched"
    TRANSCRIPTS_SEARCHED = "transcripts.searched"
    TOKEN_ISSUED = "token.issued"  # noqa: S105 - the name of an action
    TOKEN_ACCEPTED = "token.accepted"  # noqa: S105 - the name of an action
    TOKEN_DENIED = "token.denied"  # noqa: S105 - the name of an action
    INVITATION_MADE = "invitation.made"
    INVITATION_ACCEPTED = "invitation.accepted"
    SECOND_FACTOR_RESET = "second-factor.reset"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - the name of an action
    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_REFUSED = "login.refused"
    SESSION_ENDED = "session.ended"
    TOKENS_REVOKED = "tokens.revoked"
    ISSUER_CONFIGURED = "issuer.configured"
    ISSUER_CHANGED = "issuer.changed"
    ISSUER_REMOVED = "issuer.removed"
    SUBJECT_BOUND = "subject.bound"
    SUBJECT_UNBOUND = "subject.unbound"
    BOOTSTRAP_COMPLETED = "bootstrap.completed"
    BOOTSTRAP_REFUSED = "bootstrap.refused"
    TENANT_CREATED = "tenant.created"
    PRINCIPAL_CREATED = "principal.created"
    PRINCIPAL_CHANGED = "principal.changed"
    PRINCIPAL_DISABLED = "principal.disabled"
    KEY_CREATED = "key.created"
    KEY_WITHDRAWN = "key.withdrawn"
    KEY_HANDED_OVER = "key.handed-over"
    KEYS_ROTATED = "keys.rotated"
    KEYS_DESTROYED = "keys.destroyed"
    SECRET_CHANGED = "secret.changed"  # noqa: S105 - the name of an action
    LIMITS_CHANGED = "limits.changed"
    ZONE_CREATED = "zone.created"
    ZONE_CHANGED = "zone.changed"
    ZONE_DELETED = "zone.deleted"
    SETTINGS_CHANGED = "settings.changed"
    CALL_SETTLED = "call.settled"
    RECORDING_SEALED = "recording.sealed"
    RECORDING_TRANSCRIBED = "recording.transcribed"
    TRANSCRIPTION_REQUESTED = "transcription.requested"
    GRANT_MADE = "grant.made"
    GRANT_USED = "grant.used"
    GRANT_REVOKED = "grant.revoked"
    BREAK_GLASS_ASKED = "break-glass.asked"
    BREAK_GLASS_APPROVED = "break-glass.approved"
    BREAK_GLASS_ENDED = "break-glass.ended"
    SIGNAL_RAISED = "signal.raised"
    PAUSE_LIFTED = "pause.lifted"
    ENTRIES_LISTED = "entries.listed"
    ALERTS_LISTED = "alerts.listed"
    ENTRIES_EXPORTED = "entries.exported"
    DETAILS_REMOVED = "details.removed"
    POLICIES_CHANGED = "policies.changed"
    CONNECTION_REGISTERED = "connection.registered"
    CONNECTION_REMOVED = "connection.removed"
    WEBHOOK_REGISTERED = "webhook.registered"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_REMOVED = "webhook.removed"
    WEBHOOK_ENABLED = "webhook.enabled"
    FEED_CREATED = "feed.created"
    FEED_CHANGED = "feed.changed"
    FEED_DELETED = "feed.deleted"
    DISCLOSURE_OPENED = "disclosure.opened"
    DISCLOSURE_CLOSED = "disclosure.closed"
    DISCLOSURE_DENIED = "disclosure.denied"
    ERASURE_ANNOUNCED = "erasure.announced"
    ERASURE_REQUESTED = "erasure.requested"
    ERASURE_WITHDRAWN = "erasure.withdrawn"
    ERASURE_BEGUN = "erasure.begun"
    ERASURE_APPLIED = "erasure.applied"
    ERASURE_FINAL = "erasure.final"
    CUSTOMER_SEARCHED = "customer.searched"
    HOLD_SET = "hold.set"
    HOLD_LIFTED = "hold.lifted"
    RETENTION_CHANGED = "retention.changed"
    WEBHOOK_SECRET_CHANGED = "webhook.secret-changed"  # noqa: S105 - the name of an action


class AuditDraft(BaseModel):
    """What happened, before it has a number and a signature.

    `detail` is I-JSON (RFC 7493); UUIDs, dates and the like are turned into their JSON form. No audio, no
    text of a call, no secret.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    action: Action
    tenant_id: UUID | None = None
    reader: str | None = None
    call_id: UUID | None = None
    detail: dict[str, Any] = Field(default_factory=dict[str, Any])

    @field_validator("detail", mode="before")
    @classmethod
    def _jsonable(cls, value: Any) -> Any:
        return to_jsonable_python(value)


LONGEST_ACTION = 64
LONGEST_READER = 256
_NUL = b"\\u0000"
"""As canonical JSON writes it, and a text that holds these six characters after a backslash."""


def text_objection(
    action: str, reader: str | None, detail: dict[str, Any], signed: bytes | None = None
) -> tuple[str, str] | None:
    """Why the log would not take an entry of these texts, as a code and in words; None when it would.

    Asked by who writes, before the entry has a number, and by who takes it: what is acknowledged is taken.

    Args:
        action: of the entry.
        reader: of the entry.
        detail: of the entry.
        signed: its canonical JSON, where that is known already: it tells at a glance that there is no NUL.
    """
    if len(action) > LONGEST_ACTION or len(reader or "") > LONGEST_READER:
        return "too-long", "a field is too long"
    if signed is not None and _NUL not in signed:
        return None
    if any(map(_has_nul, (action, reader, detail))):
        return "text", "a text holds a NUL character"
    return None


def _has_nul(value: Any) -> bool:
    """Whether a NUL is anywhere in a JSON value; PostgreSQL keeps none in text and JSON."""
    kind = cast("type[object]", type(value))
    if kind is str:
        return "\0" in value
    if kind is dict:
        return any("\0" in key or _has_nul(item) for key, item in value.items())
    if kind is list:
        return any(map(_has_nul, value))
    return False


def instant(at: datetime) -> str:
    """RFC 3339 in UTC, as pydantic writes it: a parsed event canonicalises to what was signed."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def canonical(event: Signed) -> bytes:
    """The bytes that are signed: RFC 8785 canonical JSON of all members but the signature."""
    return canonical_json(event.model_dump(mode="json", exclude={"signature"}))


def verify_signature(event: Signed, public_key: Ed25519PublicKey, signed: bytes | None = None) -> bool:
    """Whether the holder of the key's private half signed exactly this; `signed` is `canonical`, if known."""
    try:
        public_key.verify(event.signature, canonical(event) if signed is None else signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """Reads a service's key.

    Raises:
        ValueError: the file is not an unencrypted PKCS #8 PEM of an Ed25519 key.
    """
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds a key that is not Ed25519.")  # noqa: TRY004 - wrong content
    return key
