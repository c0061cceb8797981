"""What transcribe does with the events it reads: it writes down work, and does none."""

from __future__ import annotations

from pydantic import ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared import directory, erasing, wrapped_keys
from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.errors import Poison
from otokura.shared.events import ErasedKind, KeyWrapped, RecordingSealed
from otokura.shared.manifest import Manifest
from otokura.shared.tombstones import unless_erased
from otokura.transcribe import repository
from otokura.transcribe.again import handlers as again
from otokura.transcribe.erasing import TranscribePart
from otokura.transcribe.handing_over import is_handed_over

GROUP = "otokura-transcribe"


def subscriptions(part: TranscribePart) -> list[Subscription]:
    """All that the consumer needs."""
    return [
        Subscription(RecordingSealed, recording_sealed),
        Subscription(KeyWrapped, key_wrapped),
        *again.subscriptions(),
        *directory.handlers(),
        *wrapped_keys.subscriptions(),
        *erasing.subscriptions(part),
    ]


@unless_erased(*ErasedKind)
async def recording_sealed(session: AsyncSession, event: RecordingSealed, _context: EventContext) -> None:
    """Queues the recording.

    Raises:
        Poison: the manifest is not the one whose hash the event carries, or is another call's.
    """
    try:
        manifest = Manifest.model_validate(event.manifest)
    except ValidationError:
        # The validation error would quote what it found.
        raise Poison("The manifest of the sealed recording cannot be read.") from None
    if manifest.sha256() != event.manifest_sha256:
        raise Poison("The manifest of the sealed recording does not have the hash that the event carries.")
    if (manifest.call_id, manifest.tenant_id) != (event.call_id, event.tenant_id):
        raise Poison("The manifest of the sealed recording is another call's.")
    held = event.customer_key is not None
    await repository.add_job(session, manifest, customer_holds_key=held)


@unless_erased(*ErasedKind)
async def key_wrapped(session: AsyncSession, event: KeyWrapped, _context: EventContext) -> None:
    """Keeps the call's wrapped key. The job may be there already, or come later."""
    if await wrapped_keys.is_retired(session, event.kek_id):
        return
    if await is_handed_over(session, event.call_id):
        return
    await repository.store_key(session, event)
