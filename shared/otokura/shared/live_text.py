"""Partial transcripts as ciphertext: sealed by transcribe, opened by access and ingest."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from uuid import UUID

from pydantic import ValidationError

from otokura.shared.cipher import decrypt, encrypt
from otokura.shared.errors import IntegrityError
from otokura.shared.events import TranscriptPartial
from otokura.shared.keys import Kind, associated_data, derive
from otokura.shared.transcripts import PartialTranscript


def seal_partial(
    dek: bytes, tenant_id: UUID, partial: PartialTranscript, *, language: str, since: int
) -> TranscriptPartial:
    """The event that carries a partial transcript.

    Args:
        dek: the call's.
        tenant_id: whose call it is.
        partial: what is understood; redacted already.
        language: ISO 639-1, or `und` before anything is understood.
        since: see `TranscriptPartial.since`.
    """
    binding = _binding(tenant_id, partial.call_id, partial.revision, partial.epoch)
    key = derive(dek, Kind.EVENT, partial.call_id)
    return TranscriptPartial(
        call_id=partial.call_id,
        tenant_id=tenant_id,
        version=partial.revision,
        epoch=partial.epoch,
        revision=partial.revision,
        since=since,
        final_through_ms=partial.final_through_ms,
        language=language,
        sealed=b64encode(encrypt(key, partial.model_dump_json().encode(), binding)),
        at=datetime.now(UTC),
    )


def open_partial(dek: bytes, event: TranscriptPartial) -> PartialTranscript:
    """What the event carries.

    Raises:
        IntegrityError: it was not sealed so, for this call and place.
    """
    binding = _binding(event.tenant_id, event.call_id, event.revision, event.epoch)
    plaintext = decrypt(derive(dek, Kind.EVENT, event.call_id), event.sealed, binding)
    try:
        return PartialTranscript.model_validate_json(plaintext)
    except ValidationError:
        # Without its cause, which quotes the text.
        raise IntegrityError("The partial transcript does not have the form of one.") from None


def _binding(tenant_id: UUID, call_id: UUID, revision: int, epoch: int) -> bytes:
    return associated_data(tenant_id, call_id, Kind.EVENT, sequence=revision, version=epoch)
