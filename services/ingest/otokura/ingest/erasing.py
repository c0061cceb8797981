"""Ingest's part in an erasure: the call, its pieces, uploads and webhooks, and every object of it.

Access asks only for calls that have their final state. A row that goes takes the right to write with it, so
that a sealer or a stream that still held one is told that there is no such call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.connections.models import AudioSocket
from otokura.ingest.customer_keys import hand_over
from otokura.ingest.models import Call, Piece
from otokura.ingest.objects import recordings_prefix, segments_prefix
from otokura.ingest.uploads.models import Part as UploadPart
from otokura.ingest.uploads.models import Upload
from otokura.ingest.uploads.parts import uploads_prefix
from otokura.ingest.webhooks.models import Delivery
from otokura.shared.erasing import Forgotten
from otokura.shared.events import ErasedKind, ErasureRequested
from otokura.shared.tombstones import Tombstone

_NOTHING = Forgotten({}, [])


class IngestPart:
    """See `otokura.shared.erasing.Part`. Ingest has no transcripts.

    Args:
        bucket: of segments, parts of uploads, and recordings.
    """

    service = "ingest"

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    async def forget(self, session: AsyncSession, event: ErasureRequested) -> Forgotten:
        """Deletes the rows; of a call whose recording alone goes, the call's own row stays."""
        if event.kind is not ErasedKind.CALL:
            # Nothing is transcribed of the call after this: no transcript will say that its key has served.
            await hand_over(session, event)
        if event.kind is ErasedKind.TRANSCRIPT:
            return _NOTHING
        mine = col(Call.id) == event.call_id, col(Call.tenant_id) == event.tenant_id
        call = (await session.exec(select(Call).where(*mine).with_for_update())).one_or_none()
        if call is None:
            return _NOTHING
        uploads = select(col(Upload.id)).where(col(Upload.call_id) == call.id)
        statements: dict[str, Any] = {
            "upload_parts": delete(UploadPart).where(col(UploadPart.upload_id).in_(uploads)),
            "uploads": delete(Upload).where(col(Upload.call_id) == call.id),
            "pieces": delete(Piece).where(col(Piece.call_id) == call.id),
        }
        if event.kind is ErasedKind.CALL:
            statements["audio_sockets"] = delete(AudioSocket).where(col(AudioSocket.call_id) == call.id)
            statements["webhook_deliveries"] = delete(Delivery).where(col(Delivery.call_id) == call.id)
            statements["calls"] = delete(Call).where(col(Call.id) == call.id)
        kek_ids = [call.kek_id] if event.kind is ErasedKind.CALL else []
        counts: dict[str, int] = {
            name: (await session.exec(each)).rowcount for name, each in statements.items()
        }
        return Forgotten(counts, kek_ids)

    def prefixes(self, stone: Tombstone) -> Sequence[tuple[str, str]]:
        """Segments, parts of uploads, and the recording."""
        if stone.kind == ErasedKind.TRANSCRIPT:
            return []
        names = (segments_prefix, uploads_prefix, recordings_prefix)
        return [(self._bucket, name(stone.tenant_id, stone.call_id)) for name in names]
