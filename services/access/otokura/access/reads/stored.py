"""What is stored of a call, opened and checked against what was announced of it.

Whoever opens anything has written to the audit log first: the key that it takes is the proof.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable
from typing import Any

from pydantic import ValidationError

from otokura.access.errors import NotReady
from otokura.access.reads import repository
from otokura.access.reads.gate import Permit
from otokura.access.state import AccessState
from otokura.shared.errors import IntegrityError, NotFound
from otokura.shared.events import TranscriptCompleted
from otokura.shared.keys import Kind, associated_data, derive
from otokura.shared.objects import ObjectStore
from otokura.shared.sealed_objects import RangeSource, SealedObject
from otokura.shared.transcripts import Transcript


async def announced_transcript(
    state: AccessState, permit: Permit, version: int | None = None
) -> TranscriptCompleted:
    """What transcribe said of the version that is to be read: the newest, where none is asked for.

    Raises:
        NotReady: there is no transcript (yet).
        NotFound: there is no such version.
    """
    row = permit.row
    event: dict[str, Any] | None = row["transcript"]
    if row["transcript_erased_at"] is not None:
        raise NotReady("The transcript is erased: its time has passed.")
    if event is None:
        why = row["transcript_failure"]
        raise NotReady(f"There is no transcript: {why}." if why else "The transcript is not ready yet.")
    if version is not None:
        event = await repository.version(state.database, row["tenant_id"], row["call_id"], version)
    if event is None:
        raise NotFound("The transcript has no such version: GET …/transcripts lists those that there are.")
    ids = {"call_id": row["call_id"], "tenant_id": row["tenant_id"]}
    return TranscriptCompleted.model_validate({**event, **ids})


def searched(transcript: Transcript) -> Transcript:
    """The same transcript, if somebody has looked for what to redact in it.

    Raises:
        NotReady: nobody has, so that nothing can be shown or heard without it.
    """
    if transcript.redactions is None:
        raise NotReady(
            "This transcript was made before transcripts were searched for what to redact: an administrator "
            "can have the recording transcribed again."
        )
    return transcript


async def present(reading: Awaitable[bytes]) -> bytes:
    """What is read from the store. That it is gone is no reason to say that it never was.

    Raises:
        IntegrityError: the object that the manifest names is not there.
    """
    try:
        return await reading
    except NotFound as error:
        raise IntegrityError("The stored object is gone.") from error


class Present:
    """A `RangeSource` that must be there."""

    def __init__(self, source: RangeSource) -> None:
        self._source = source

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self._source.size

    async def read(self, offset: int, length: int) -> bytes:
        """The bytes [offset, offset + length), fewer at the end, none after it.

        Raises:
            IntegrityError: the object is gone, or not what was stored.
            Unavailable: the store cannot be reached.
        """
        return await present(self._source.read(offset, length))


async def stored_transcript(store: ObjectStore, dek: bytes, announced: TranscriptCompleted) -> Transcript:
    """The transcript.

    Args:
        store: where it lies.
        dek: the call's key, after its commitment was checked.
        announced: what transcribe said of it.

    Raises:
        IntegrityError: the object is gone, or not the one that was announced.
        Unavailable: the store cannot be reached.
    """
    return parsed_transcript(await transcript_bytes(store, dek, announced), announced)


async def transcript_bytes(store: ObjectStore, dek: bytes, announced: TranscriptCompleted) -> bytes:
    """The same, to the byte: what the entry `recording.transcribed` has the hash of."""
    ids = (announced.tenant_id, announced.call_id)
    sealed = SealedObject(
        store,
        announced.bucket,
        announced.object,
        key=derive(dek, Kind.TRANSCRIPT, announced.call_id),
        associated_data=associated_data(*ids, Kind.TRANSCRIPT, version=announced.version),
        plaintext_bytes=announced.plaintext_bytes,
    )
    plaintext = await present(sealed.read(0, announced.plaintext_bytes))
    if not hmac.compare_digest(hashlib.sha256(plaintext).hexdigest(), announced.plaintext_sha256):
        raise IntegrityError("The transcript is not the one that was announced.")
    return plaintext


def parsed_transcript(plaintext: bytes, announced: TranscriptCompleted) -> Transcript:
    """The transcript in its stored bytes.

    Raises:
        IntegrityError: they are none, or another call's.
    """
    try:
        transcript = Transcript.model_validate_json(plaintext)
    except ValidationError:
        # Without its cause, which quotes the text.
        raise IntegrityError("The transcript does not have the form of one.") from None
    if transcript.call_id != announced.call_id:
        raise IntegrityError("The transcript belongs to another call.")
    return transcript
