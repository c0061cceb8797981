"""A file in one request becomes a recording: encrypted as it comes, examined, sealed.

The original bytes are the recording; nothing is converted, and at no time is the file whole in memory or
in the clear on a disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from otokura.ingest.call_keys import CallKey
from otokura.ingest.customer_keys import with_copy
from otokura.ingest.errors import EmptyAudio
from otokura.ingest.leases import held
from otokura.ingest.models import Call, CallState
from otokura.ingest.objects import check_bucket, discard, recording_name
from otokura.ingest.repository import Claim, lock, take
from otokura.ingest.service import check_upload
from otokura.ingest.settling import settle
from otokura.ingest.state import State
from otokura.ingest.uploads.examining import StoredFile, examine
from otokura.shared.errors import Conflict
from otokura.shared.events import TenantSettings
from otokura.shared.keys import Kind
from otokura.shared.sealed_objects import SealedInfo, seal


@dataclass(frozen=True)
class FileUpload:
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
                stored = StoredFile(self.call, self.key, self.name, await self._store(body))
                audio = await with_copy(self.state.directory, self.key, await examine(self.state, stored))
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
        await check_bucket(self.state.store, self._bucket)
        info = await seal(self.state.store, self._bucket, self.name, body, key=key, associated_data=binding)
        if info.plaintext_bytes == 0:
            raise EmptyAudio("The file has no bytes. Send the recording as the request's body.")
        return info


async def begin(state: State, tenant_id: UUID, call_id: UUID, settings: TenantSettings) -> FileUpload:
    """Take the call for an upload: an older upload or stream of it is fenced.

    Raises:
        CallNotFound, CallClosed, NoticeNeeded, WrongOrigin: why it may not be uploaded.
    """
    async with state.database.session() as session:
        call = await lock(session, call_id, tenant_id)
        check_upload(call, settings)
        key = await state.keys.open(call)
        claim = await take(session, call, state.instance, state.settings.lease)
    return FileUpload(state, call, claim, key, recording_name(tenant_id, call_id, claim.epoch))
