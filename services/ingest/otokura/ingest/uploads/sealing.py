"""Sealing a resumable upload: its parts, in order, become one recording object, and that is examined.

The bytes were acknowledged when the last part was counted. From then on they are the service's to seal:
whoever holds the lease does it, as with a live call, and a process that dies is followed by another.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.call_keys import CallKey
from otokura.ingest.models import Call, Piece
from otokura.ingest.objects import check_bucket, discard
from otokura.ingest.repository import Claim
from otokura.ingest.sealing import Sealer
from otokura.ingest.service import Audio
from otokura.ingest.settling import Failed
from otokura.ingest.uploads.errors import refusal_of
from otokura.ingest.uploads.examining import StoredFile, examine
from otokura.ingest.uploads.models import Part
from otokura.ingest.uploads.parts import PartKey, read_part
from otokura.ingest.uploads.repository import complete_upload, next_to_seal, refuse
from otokura.shared.errors import Unprocessable, UnsupportedMedia
from otokura.shared.keys import Kind
from otokura.shared.logs import get_logger
from otokura.shared.sealed_objects import seal

log = get_logger(__name__)


class UploadSealer(Sealer):
    """Seals uploads one after the other; live calls have sealers of their own, and never wait for a file."""

    async def _next(self, session: AsyncSession) -> Call | None:
        return await next_to_seal(session)

    def _is_empty(self, timeline: list[Piece]) -> bool:
        del timeline  # no upload is announced with 0 bytes
        return False

    async def _make(
        self, call: Call, claim: Claim, key: CallKey, timeline: list[Piece]
    ) -> tuple[Audio | Failed, list[int]]:
        del timeline
        async with self._state.database.session() as session:
            upload, parts = await complete_upload(session, call.id)
        name = self._name(call, claim)
        content = self._content(PartKey(key, upload.id), parts)
        await check_bucket(self._state.store, self._bucket)
        info = await seal(
            self._state.store,
            self._bucket,
            name,
            content,
            key=key.of(Kind.RECORDING),
            associated_data=key.binding(Kind.RECORDING),
        )
        try:
            return await examine(self._state, StoredFile(call, key, name, info)), []
        except (UnsupportedMedia, Unprocessable) as refused:
            log.info("upload.refused", call_id=str(call.id), upload_id=str(upload.id), reason=refused.code)
            await discard(self._state.store, self._bucket, name)
            async with self._state.database.session() as session:
                await refuse(session, upload.id, refusal_of(refused))
            return Failed(refused.detail), []

    async def _content(self, key: PartKey, parts: list[Part]) -> AsyncGenerator[bytes]:
        """The file from its first byte to its last.

        Raises:
            IntegrityError, NotFound: a part is not as it was stored.
        """
        for part in parts:
            async for piece in read_part(self._state.store, self._bucket, key, part):
                yield piece
