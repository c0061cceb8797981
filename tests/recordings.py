"""Sealed recordings as ingest leaves them, without ingest."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.events import (
    Channel,
    ChannelRole,
    Direction,
    KeyWrapped,
    Notice,
    RecordingSealed,
    TranscriptCompleted,
)
from otokura.shared.ids import uuid7
from otokura.shared.keys import (
    KeyContext,
    Kind,
    LocalKeyProvider,
    WrappedDek,
    associated_data,
    commitment,
    derive,
    new_dek,
)
from otokura.shared.manifest import Manifest, StoredObject
from otokura.shared.objects import ObjectStore
from otokura.shared.sealed_objects import SealedObject, seal
from otokura.shared.transcripts import Transcript
from otokura.transcribe import repository

AT = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class SealedCall:
    """A recording, its key, and the events that tell of it."""

    dek: bytes
    manifest: Manifest
    sealed: RecordingSealed
    wrapped: KeyWrapped

    @property
    def call_id(self) -> UUID:
        return self.manifest.call_id


class Recordings:
    """Seals files into the store.

    Args:
        store: has the buckets `recordings` and `transcripts`.
        keys: wraps the calls' keys.
    """

    def __init__(self, store: ObjectStore, keys: LocalKeyProvider) -> None:
        self._store = store
        self._keys = keys

    async def add(
        self, file: bytes, *, language: str | None = None, channels: int = 2, duration_ms: int = 1000
    ) -> SealedCall:
        """Encrypts `file` into the store as the recording of a new call."""
        tenant, call, dek = uuid7(), uuid7(), new_dek()
        name = f"recordings/{tenant}/{call}"
        await seal(
            self._store,
            "recordings",
            name,
            _chunks(file),
            key=derive(dek, Kind.RECORDING, call),
            associated_data=associated_data(tenant, call, Kind.RECORDING),
        )
        manifest = Manifest(
            call_id=call,
            tenant_id=tenant,
            external_id="test",
            origin="upload",
            direction=Direction.INBOUND,
            channels=[Channel(role=role) for role in (ChannelRole.AGENT, ChannelRole.CUSTOMER)][:channels],
            sample_rate=8000,
            samples=duration_ms * 8,
            duration_ms=duration_ms,
            gaps=[],
            notice=Notice(),
            purposes=[],
            language=language,
            started_at=AT,
            ended_at=AT,
            recording=_stored(name, file),
            key_commitment=commitment(dek, call),
        )
        wrapped = await self._keys.wrap(dek, KeyContext(tenant, call))
        return _told(dek, manifest, wrapped)

    async def transcript(self, call: SealedCall, event: TranscriptCompleted) -> Transcript:
        """The transcript that an event names, opened as access opens it."""
        ids = (event.tenant_id, event.call_id)
        stored = SealedObject(
            self._store,
            event.bucket,
            event.object,
            key=derive(call.dek, Kind.TRANSCRIPT, call.call_id),
            associated_data=associated_data(*ids, Kind.TRANSCRIPT, version=event.version),
            plaintext_bytes=event.plaintext_bytes,
        )
        content = await stored.read(0, event.plaintext_bytes)
        assert hashlib.sha256(content).hexdigest() == event.plaintext_sha256
        return Transcript.model_validate_json(content)

    async def transcripts_of(self, call: SealedCall) -> list[str]:
        """The names of all transcript objects of a call, whoever wrote them."""
        prefix = f"transcripts/{call.manifest.tenant_id}/{call.call_id}/"
        return [found.name async for found in self._store.list("transcripts", prefix)]


async def enqueue(session: AsyncSession, call: SealedCall) -> None:
    """Makes a job of the call, as the handlers would."""
    await repository.store_key(session, call.wrapped)
    await repository.add_job(session, call.manifest)


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1 << 20):
        yield data[start : start + (1 << 20)]


def _stored(name: str, file: bytes) -> StoredObject:
    return StoredObject(
        bucket="recordings",
        name=name,
        media_type="audio/wav",
        plaintext_bytes=len(file),
        plaintext_sha256=hashlib.sha256(file).hexdigest(),
    )


def _told(dek: bytes, manifest: Manifest, wrapped: WrappedDek) -> SealedCall:
    """The call with the events that tell of it."""
    whose = {"call_id": manifest.call_id, "tenant_id": manifest.tenant_id}
    return SealedCall(
        dek,
        manifest,
        RecordingSealed(
            **whose,
            version=5,
            manifest=manifest.model_dump(mode="json"),
            manifest_sha256=manifest.sha256(),
            sealed_at=AT,
        ),
        KeyWrapped(
            **whose,
            version=1,
            kek_id=wrapped.kek_id,
            wrapped=base64.b64encode(wrapped.wrapped),
            commitment=manifest.key_commitment,
        ),
    )
