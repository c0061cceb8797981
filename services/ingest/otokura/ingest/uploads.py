"""A file becomes a recording: encrypted as it comes, then opened in the sandbox through decrypted ranges.

The original bytes are the recording; nothing is converted, and at no time is the file whole in memory or
in the clear on a disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from otokura.ingest.call_keys import CallKey
from otokura.ingest.errors import ChannelsDiffer, EmptyAudio, Fenced, UploadStalled
from otokura.ingest.leases import held
from otokura.ingest.models import Call, CallState, Origin
from otokura.ingest.objects import check_bucket, discard, recording_name
from otokura.ingest.repository import Claim, lock, take
from otokura.ingest.service import Audio, check_upload
from otokura.ingest.settling import settle
from otokura.ingest.state import State
from otokura.shared.errors import Conflict, NotFound
from otokura.shared.events import TenantSettings
from otokura.shared.keys import Kind
from otokura.shared.manifest import StoredObject
from otokura.shared.media.decoder import MediaInfo, probe
from otokura.shared.sealed_objects import SealedInfo, SealedObject, seal

MEDIA_TYPES = {
    "wav": "audio/wav",
    "w64": "audio/x-w64",
    "aiff": "audio/aiff",
    "au": "audio/basic",
    "caf": "audio/x-caf",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "mov": "audio/mp4",
    "ogg": "audio/ogg",
    "matroska": "audio/x-matroska",
    "amr": "audio/amr",
}
"""By FFmpeg's name of the container, which is what was found, not what the client said."""


@dataclass(frozen=True)
class Upload:
    """One upload under way."""

    state: State
    call: Call
    claim: Claim
    key: CallKey
    name: str

    async def run(self, body: AsyncIterator[bytes]) -> Call:
        """Store, examine, seal. Whatever fails, the call stays live and the object goes.

        Raises:
            OtokuraError: one that says what was wrong with the file.
        """
        async with held(self.state, self.claim):
            try:
                stored = await self._store(body)
                audio = self._audio(stored, await self._examine(stored))
            except BaseException:
                await discard(self.state.store, self._bucket, self.name)
                raise
            try:
                return await settle(self.state, self.claim, CallState.LIVE, audio, lost=[])
            except Conflict:
                # Only a refusal is certain: after any other error the commit may have happened.
                await discard(self.state.store, self._bucket, self.name)
                raise

    @property
    def _bucket(self) -> str:
        return self.state.settings.recordings_bucket

    async def _store(self, body: AsyncIterator[bytes]) -> SealedInfo:
        key, binding = self.key.of(Kind.RECORDING), self.key.binding(Kind.RECORDING)
        paced = _paced(body, self.state.settings.upload_stall_seconds)
        await check_bucket(self.state.store, self._bucket)
        info = await seal(self.state.store, self._bucket, self.name, paced, key=key, associated_data=binding)
        if info.plaintext_bytes == 0:
            raise EmptyAudio("The file has no bytes. Send the recording as the request's body.")
        return info

    async def _examine(self, stored: SealedInfo) -> MediaInfo:
        key, binding = self.key.of(Kind.RECORDING), self.key.binding(Kind.RECORDING)
        source = SealedObject(
            self.state.store,
            self._bucket,
            self.name,
            key=key,
            associated_data=binding,
            plaintext_bytes=stored.plaintext_bytes,
        )
        try:
            media = await probe(source)
        except NotFound:
            # Only cleaning removes it, after a newer upload has settled the call.
            raise Fenced from None
        if media.channels != len(self.call.channels):
            raise ChannelsDiffer(len(self.call.channels), media.channels)
        return media

    def _audio(self, stored: SealedInfo, media: MediaInfo) -> Audio:
        recording = StoredObject(
            bucket=self._bucket,
            name=self.name,
            media_type=MEDIA_TYPES.get(media.container, "application/octet-stream"),
            plaintext_bytes=stored.plaintext_bytes,
            plaintext_sha256=stored.plaintext_sha256,
        )
        return Audio(Origin.UPLOAD, media.sample_rate, media.samples, [], recording)


async def begin(state: State, tenant_id: UUID, call_id: UUID, settings: TenantSettings) -> Upload:
    """Take the call for an upload: an older upload or stream of it is fenced.

    Raises:
        CallNotFound, CallClosed, NoticeNeeded, WrongOrigin: why it may not be uploaded.
    """
    async with state.database.session() as session:
        call = await lock(session, call_id, tenant_id)
        check_upload(call, settings)
        key = await state.keys.open(call)
        claim = await take(session, call, state.instance, state.settings.lease)
    return Upload(state, call, claim, key, recording_name(tenant_id, call_id, claim.epoch))


async def _paced(body: AsyncIterator[bytes], stall_seconds: float) -> AsyncGenerator[bytes]:
    """A client that holds its connection open without sending must not hold the call for ever."""
    while True:
        try:
            async with asyncio.timeout(stall_seconds):
                chunk = await anext(body)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise UploadStalled(stall_seconds) from None
        yield chunk
