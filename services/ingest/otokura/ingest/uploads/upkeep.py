"""What runs beside the requests: giving up uploads that did not go on, and removing their objects."""

from __future__ import annotations

from otokura.ingest.state import State
from otokura.ingest.uploads.models import Upload
from otokura.ingest.uploads.parts import uploads_prefix
from otokura.ingest.uploads.repository import expire, forget, mark_cleaned, uncleaned
from otokura.shared.logs import get_logger

log = get_logger(__name__)

BATCH = 20


async def clean_uploads(state: State) -> None:
    """One look at all of them. Doing it twice does no harm."""
    async with state.database.session() as session:
        await expire(session)
        await forget(session)
    while True:
        async with state.database.session() as session:
            uploads = await uncleaned(session, BATCH)
        for upload in uploads:
            await _clean(state, upload)
        if not uploads:
            return


async def _clean(state: State, upload: Upload) -> None:
    bucket = state.settings.recordings_bucket
    prefix = f"{uploads_prefix(upload.tenant_id, upload.call_id)}{upload.id}/"
    async for item in state.store.list(bucket, prefix):
        await state.store.delete(bucket, item.name)
    async with state.database.session() as session:
        await mark_cleaned(session, upload.id)
    log.info("upload.cleaned", upload_id=str(upload.id), call_id=str(upload.call_id), state=upload.state)
