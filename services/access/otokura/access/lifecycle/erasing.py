"""Access's part in an erasure: read model, wrapped key, transcripts, index, grants, what feeds were given."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.feeds import queue
from otokura.access.lifecycle.repository import execute
from otokura.access.reads.handing_over import hand_over
from otokura.access.search import queue as search
from otokura.shared.erasing import Forgotten
from otokura.shared.events import ErasedKind, ErasureRequested
from otokura.shared.tombstones import Tombstone

_GONE: dict[ErasedKind, tuple[str, ...]] = {
    ErasedKind.CALL: (
        "calls",
        "call_keys",
        "transcripts",
        "transcript_versions",
        "transcription_requests",
        "grants",
        "seen_calls",
    ),
    ErasedKind.RECORDING: (),
    ErasedKind.TRANSCRIPT: ("transcripts", "transcript_versions"),
}
"""The tables whose rows of a call go with each kind: whoever adds a table about calls adds it here."""
_KEKS = text("SELECT kek_id FROM call_keys WHERE call_id = :call_id AND tenant_id = :tenant_id")
_MARK = {
    ErasedKind.RECORDING: text(
        "UPDATE calls SET recording_erased_at = clock_timestamp() WHERE call_id = :call_id"
    ),
    ErasedKind.TRANSCRIPT: text(
        "UPDATE calls SET transcript_erased_at = clock_timestamp() WHERE call_id = :call_id"
    ),
}


class AccessPart:
    """See `otokura.shared.erasing.Part`. Access has no objects; readings under way end with the rows."""

    service = "access"

    async def forget(self, session: AsyncSession, event: ErasureRequested) -> Forgotten:
        """Deletes the rows, and has every feed told that had something of the call's text."""
        which = {"call_id": event.call_id, "tenant_id": event.tenant_id}
        kek_ids: list[str] = []
        if event.kind is ErasedKind.CALL:
            kek_ids = [row.kek_id for row in await execute(session, _KEKS, **which)]
        if event.kind is not ErasedKind.RECORDING:
            await queue.enqueue_erasure(session, event.tenant_id, event.call_id, event.requested_at)
            await search.erase(session, event.tenant_id, event.call_id)
        counts: dict[str, int] = {}
        for table in _GONE[event.kind]:
            gone = text(f"DELETE FROM {table} WHERE call_id = :call_id AND tenant_id = :tenant_id")  # noqa: S608 - constants
            counts[table] = (await execute(session, gone, **which)).rowcount
        if event.kind in _MARK:
            await execute(session, _MARK[event.kind], call_id=event.call_id)
            await hand_over(session, event)
        return Forgotten(counts, kek_ids)

    def prefixes(self, stone: Tombstone) -> Sequence[tuple[str, str]]:
        """None: what access reads is ingest's and transcribe's."""
        del stone
        return []
