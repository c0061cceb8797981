"""Partial transcripts as ciphertext: sealed by transcribe, opened by access and ingest."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Container, Sequence
from datetime import UTC, datetime
from uuid import UUID

from pydantic import ValidationError

from otokura.shared.cipher import decrypt, encrypt
from otokura.shared.errors import IntegrityError
from otokura.shared.events import TranscriptPartial
from otokura.shared.keys import Kind, associated_data, derive
from otokura.shared.transcripts import PartialTranscript, PartialTurn

Place = tuple[int, int]
"""What a turn is known by: its channel, and when it began."""


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


def news_of(partials: Sequence[PartialTranscript], sent: Container[Place]) -> dict[Place, PartialTurn]:
    """What is to be told of partials that follow each other, in the order in which it was said.

    Args:
        partials: at least one, the newest last.
        sent: the turns that were told as final: each is told once.

    Returns:
        The final turns that are not among those, and what the newest partial has that is not final.
    """
    turns = {
        (turn.channel, turn.start_ms): turn
        for one in partials
        for turn in one.turns
        if turn.final and (turn.channel, turn.start_ms) not in sent
    }
    turns |= {(turn.channel, turn.start_ms): turn for turn in partials[-1].turns if not turn.final}
    return {place: turns[place] for place in sorted(turns, key=lambda at: (at[1], at[0]))}


def _binding(tenant_id: UUID, call_id: UUID, revision: int, epoch: int) -> bytes:
    return associated_data(tenant_id, call_id, Kind.EVENT, sequence=revision, version=epoch)
