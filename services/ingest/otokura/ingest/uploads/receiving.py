"""The bytes of one request become parts of an upload: stored, then counted, then told.

Source: https://tus.io/protocols/resumable-upload, "PATCH": as much of what came is kept as can be, also when
the connection breaks; with a checksum all of it or nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import ClientDisconnect

from otokura.ingest.errors import UploadStalled
from otokura.ingest.models import Origin
from otokura.ingest.objects import discard, put_segment
from otokura.ingest.repository import begin_sealing, lock, now
from otokura.ingest.service import check_upload
from otokura.ingest.state import State
from otokura.ingest.uploads.errors import BeyondLength
from otokura.ingest.uploads.models import Upload
from otokura.ingest.uploads.parts import PART_BYTES, PartKey
from otokura.ingest.uploads.repository import NewPart, Writer, accept
from otokura.ingest.uploads.tus import Checksum
from otokura.shared.errors import OtokuraError, Unavailable
from otokura.shared.events import TenantSettings


@dataclass(frozen=True)
class Stored:
    """How far an upload has got."""

    offset: int
    expires_at: datetime
    complete: bool


@dataclass(frozen=True)
class Writing:
    """What a request needs to write an upload: the key of its parts, and the right to."""

    key: PartKey
    writer: Writer


class Receiving:
    """One request's bytes on their way into an upload.

    Args:
        state: the process's connections.
        upload: as it was when the request began.
        writing: its key, and the right to write.
        checksum: what the client says of the body, if it does.
    """

    def __init__(self, state: State, upload: Upload, writing: Writing, checksum: Checksum | None) -> None:
        self._state = state
        self._upload = upload
        self._key, self._writer = writing.key, writing.writer
        self._checksum = checksum
        self._stored = Stored(upload.received, upload.expires_at, complete=False)
        self._waiting: list[NewPart] = []
        """Stored, not counted: the checksum is not known yet."""
        self._start = upload.received
        self._begin_part(self._start)

    async def run(self, body: AsyncIterator[bytes]) -> Stored:
        """Take the whole body.

        Raises:
            BeyondLength: more came than the upload announced.
            ChecksumMismatch: the body was changed on its way.
            OtokuraError: it could not be stored, or another took over.
            ClientDisconnect: the connection broke. What came before is kept.
        """
        try:
            try:
                async for chunk in body:
                    await self._add(chunk)
            except (ClientDisconnect, UploadStalled):
                await self._keep()
                raise
            if self._checksum is not None:
                self._checksum.check()
            await self._keep(verified=True)
        except (OtokuraError, ClientDisconnect):
            await self._withdraw()
            raise
        return self._stored

    def _begin_part(self, start: int) -> None:
        self._start, self._size = start, 0
        self._sealed = bytearray()
        self._encryptor = self._key.encryptor(start, self._writer.epoch)

    async def _add(self, chunk: bytes) -> None:
        if self._start + self._size + len(chunk) > self._upload.length:
            raise BeyondLength(self._upload.length)
        if self._checksum is not None:
            self._checksum.update(chunk)
        view = memoryview(chunk)
        while view:
            # A full part waits for the byte after it: if none comes it may complete the upload.
            if self._size == PART_BYTES:
                await self._cut()
                await self._count()
            piece = view[: PART_BYTES - self._size]
            self._sealed += self._encryptor.update(piece)
            self._size += len(piece)
            view = view[len(piece) :]

    async def _cut(self) -> None:
        """Store what is held as a part."""
        if not self._size:
            return
        name = self._key.name(self._start, self._writer.epoch)
        self._sealed += self._encryptor.finalize()
        self._waiting.append(NewPart(self._start, self._size, name))
        await put_segment(self._state.store, self._bucket, name, bytes(self._sealed))
        self._begin_part(self._start + self._size)

    async def _keep(self, *, verified: bool = False) -> None:
        """The body has ended: what is held is a part as well."""
        if verified or self._checksum is None:
            await self._cut()
            await self._count(verified=verified)

    async def _count(self, *, verified: bool = False) -> None:
        """Move the offset over what is stored; from here on it is acknowledged."""
        if not self._waiting or (self._checksum is not None and not verified):
            return
        last = self._start == self._upload.length
        settings = await self._state.tenant_settings(self._upload.tenant_id) if last else None
        try:
            async with self._state.database.session() as session:
                expires_at = await self._accept(session, settings)
        except Unavailable:
            self._waiting = []  # the commit may have happened: the objects stay until the upload is cleaned
            raise
        self._waiting = []
        self._stored = Stored(self._start, expires_at, complete=last)
        if last:
            self._state.to_seal.set()

    async def _accept(self, session: AsyncSession, settings: TenantSettings | None) -> datetime:
        """Count what waits; given the tenant's settings, as the last there is."""
        kept = timedelta(seconds=self._state.settings.upload_expires_seconds)
        if settings is None:
            return await accept(session, self._writer, self._waiting, kept, last=False)
        # The call before the upload, as everywhere, so that two never wait for each other.
        call = await lock(session, self._upload.call_id, self._upload.tenant_id)
        check_upload(call, settings)
        expires_at = await accept(session, self._writer, self._waiting, kept, last=True)
        call.origin = Origin.UPLOAD
        await begin_sealing(session, call, await now(session))
        return expires_at

    async def _withdraw(self) -> None:
        """Remove what was stored and will not be counted."""
        waiting, self._waiting = self._waiting, []
        for part in waiting:
            await discard(self._state.store, self._bucket, part.object_name)

    @property
    def _bucket(self) -> str:
        return self._state.settings.recordings_bucket
