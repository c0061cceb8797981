"""Transcribe's part in an erasure: recordings with their jobs, keys, live text, and every transcript."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.erasing import Forgotten
from otokura.shared.events import ErasedKind, ErasureRequested
from otokura.shared.tombstones import Tombstone
from otokura.transcribe.live.models import LiveProgress
from otokura.transcribe.models import CallKey, Job, Recording
from otokura.transcribe.service import transcripts_prefix


class TranscribePart:
    """See `otokura.shared.erasing.Part`.

    Whatever goes, nothing is transcribed of the call any more: so its jobs and its key go with each kind. A
    worker that is transcribing it finds at its commit that the job is no longer there, and discards what it
    wrote.

    Args:
        bucket: of the transcripts.
    """

    service = "transcribe"

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    async def forget(self, session: AsyncSession, event: ErasureRequested) -> Forgotten:
        """Deletes the rows."""
        which = event.call_id
        kek_ids = list((await session.exec(select(CallKey.kek_id).where(CallKey.call_id == which))).all())
        jobs = (await session.exec(select(func.count()).where(col(Job.call_id) == which))).one()
        recordings = delete(Recording).where(col(Recording.call_id) == which)
        keys = delete(CallKey).where(col(CallKey.call_id) == which)
        live = delete(LiveProgress).where(col(LiveProgress.call_id) == which)
        counts = {
            "jobs": jobs,
            "recordings": (await session.exec(recordings)).rowcount,
            "call_keys": (await session.exec(keys)).rowcount,
            "live_progress": (await session.exec(live)).rowcount,
        }
        return Forgotten(counts, kek_ids if event.kind is ErasedKind.CALL else [])

    def prefixes(self, stone: Tombstone) -> Sequence[tuple[str, str]]:
        """The transcripts of all versions and attempts."""
        if stone.kind == ErasedKind.RECORDING:
            return []
        return [(self._bucket, transcripts_prefix(stone.tenant_id, stone.call_id))]
