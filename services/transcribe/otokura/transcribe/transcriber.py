"""From one leased job to one stored transcript."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from otokura.shared.directory import Directory
from otokura.shared.errors import IntegrityError
from otokura.shared.events import TenantSettings, TranscriptCompleted
from otokura.shared.keys import (
    KeyContext,
    KeyProvider,
    KeyUse,
    Kind,
    associated_data,
    check_commitment,
    derive,
)
from otokura.shared.media.decoder import decode
from otokura.shared.objects import ObjectStore
from otokura.shared.sealed_objects import RangeSource, open_recording, seal
from otokura.shared.transcripts import Transcript
from otokura.transcribe.engine import SAMPLE_RATE, RemoteEngine
from otokura.transcribe.insight.service import Insight
from otokura.transcribe.listening import Heard, Listener
from otokura.transcribe.redaction import find
from otokura.transcribe.repository import LeasedJob
from otokura.transcribe.service import names_of, object_name
from otokura.transcribe.turns import merge


class Transcriber:
    """Opens the recording, listens, writes the transcript encrypted under the call's key.

    Args:
        store: where recordings are read and transcripts written.
        keys: unwraps the calls' keys.
        directory: knows the tenants' language and vocabulary.
        engine: who listens.
        insight: adds what the transcript tells of its call.
        bucket: for transcripts.
        window_seconds: see `otokura.transcribe.settings.Settings`.
    """

    def __init__(
        self,
        store: ObjectStore,
        keys: KeyProvider,
        directory: Directory,
        engine: RemoteEngine,
        *,
        insight: Insight | None = None,
        bucket: str = "transcripts",
        window_seconds: int = 300,
    ) -> None:
        self._store = store
        self._keys = keys
        self._directory = directory
        self._engine = engine
        self._insight = insight or Insight()
        self._bucket = bucket
        self._window_seconds = window_seconds

    async def transcribe(self, job: LeasedJob) -> TranscriptCompleted:
        """Writes the transcript of this attempt.

        Returns:
            The event that tells of it. Nothing counts before the event is committed.

        Raises:
            EngineFailed: the engine died or hung.
            UnsupportedMedia: the recording cannot be decoded.
            IntegrityError: the recording or its key is not what was sealed.
            NotFound: the recording, or the key that wraps its key, was erased.
            Unavailable: store, key provider or database cannot be reached.
        """
        context = KeyContext(job.tenant_id, job.call_id)
        dek = await self._keys.unwrap(job.wrapped, context, KeyUse.TRANSCRIBE, str(job.lease_id))
        check_commitment(dek, job.call_id, job.manifest.key_commitment)
        settings = await self._settings(job)
        heard = await self._listen(job, settings, open_recording(self._store, job.manifest, dek))
        engine = await self._engine.describe()
        turns = merge([channel.role for channel in job.manifest.channels], heard.channels)
        transcript = Transcript(
            call_id=job.call_id,
            language=heard.language,
            engine=engine.name,
            model=engine.model,
            duration_ms=job.manifest.duration_ms,
            turns=turns,
            # A call of hours has much to search: heartbeats and health checks must not wait for it.
            redactions=await asyncio.to_thread(find, turns, heard.language, settings.redaction),
        )
        transcript = await self._insight.added_to(transcript, settings.insight_rules)
        return await self._store_transcript(job, transcript, derive(dek, Kind.TRANSCRIPT, job.call_id))

    async def models(self) -> tuple[str, ...]:
        """What the engine's model may be asked for by.

        Raises:
            EngineFailed: the engine does not start.
        """
        return names_of((await self._engine.describe()).model)

    async def discard(self, job: LeasedJob, version: int) -> None:
        """Deletes what an attempt wrote, if it wrote anything."""
        await self._store.delete(self._bucket, object_name(job.tenant_id, job.call_id, version))

    async def _settings(self, job: LeasedJob) -> TenantSettings:
        tenant = await self._directory.tenant(job.tenant_id)
        return tenant.settings if tenant else TenantSettings()

    async def _listen(self, job: LeasedJob, settings: TenantSettings, recording: RangeSource) -> Heard:
        known = (await self._engine.describe()).languages
        language = job.manifest.language or settings.language
        listener = Listener(
            self._engine,
            len(job.manifest.channels),
            language=language if language in known else None,
            vocabulary=settings.vocabulary,
            window_seconds=self._window_seconds,
        )
        # Closed here and now, whatever happens: the decoder's process must not outlive the attempt.
        async with aclosing(_blocks(recording, len(job.manifest.channels))) as blocks:
            return await listener.listen(blocks)

    async def _store_transcript(
        self, job: LeasedJob, transcript: Transcript, key: bytes
    ) -> TranscriptCompleted:
        name = object_name(job.tenant_id, job.call_id, job.version)
        binding = associated_data(job.tenant_id, job.call_id, Kind.TRANSCRIPT, version=job.version)
        sealed = await seal(
            self._store, self._bucket, name, _once(transcript), key=key, associated_data=binding
        )
        return TranscriptCompleted(
            call_id=job.call_id,
            tenant_id=job.tenant_id,
            version=job.version,
            bucket=self._bucket,
            object=name,
            language=transcript.language,
            turns=len(transcript.turns),
            words=sum(len(turn.words) for turn in transcript.turns),
            characters=sum(len(turn.text) for turn in transcript.turns),
            duration_ms=transcript.duration_ms,
            plaintext_bytes=sealed.plaintext_bytes,
            plaintext_sha256=sealed.plaintext_sha256,
            engine=transcript.engine,
            model=transcript.model,
            completed_at=datetime.now(UTC),
            request_id=job.request_id,
        )


async def _once(transcript: Transcript) -> AsyncGenerator[bytes]:
    yield transcript.model_dump_json().encode()


async def _blocks(recording: RangeSource, channels: int) -> AsyncGenerator[NDArray[np.int16]]:
    async with aclosing(decode(recording, rate=SAMPLE_RATE)) as decoded:
        async for pcm in decoded:
            if pcm.channels != channels:
                raise IntegrityError("The recording has another number of channels than its manifest says.")
            yield np.frombuffer(pcm.data, "<i2").reshape(-1, channels)
