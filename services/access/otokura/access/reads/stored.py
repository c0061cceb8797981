"""A call's transcript as it is stored, opened and checked against what was announced.

Whoever calls this has written to the audit log first: the key that it takes is the proof.
"""

from __future__ import annotations

import hashlib
import hmac

from pydantic import ValidationError

from otokura.shared.errors import IntegrityError, NotFound
from otokura.shared.events import TranscriptCompleted
from otokura.shared.keys import Kind, associated_data, derive
from otokura.shared.objects import ObjectStore
from otokura.shared.sealed_objects import SealedObject
from otokura.shared.transcripts import Transcript


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
    ids = (announced.tenant_id, announced.call_id)
    sealed = SealedObject(
        store,
        announced.bucket,
        announced.object,
        key=derive(dek, Kind.TRANSCRIPT, announced.call_id),
        associated_data=associated_data(*ids, Kind.TRANSCRIPT, version=announced.version),
        plaintext_bytes=announced.plaintext_bytes,
    )
    try:
        plaintext = await sealed.read(0, announced.plaintext_bytes)
    except NotFound as error:
        raise IntegrityError("The stored object is gone.") from error
    if not hmac.compare_digest(hashlib.sha256(plaintext).hexdigest(), announced.plaintext_sha256):
        raise IntegrityError("The transcript is not the one that was announced.")
    try:
        transcript = Transcript.model_validate_json(plaintext)
    except ValidationError:
        # Without its cause, which quotes the text.
        raise IntegrityError("The transcript does not have the form of one.") from None
    if transcript.call_id != announced.call_id:
        raise IntegrityError("The transcript belongs to another call.")
    return transcript
