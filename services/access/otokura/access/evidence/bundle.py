"""A bundle of evidence, made as it is sent: nothing of it is kept, and of its audio memory holds one piece.

`read.opened` is acknowledged before anything is opened, and the history that the bundle holds goes at least
as far as that entry: who reads the bundle finds in it that, by whom and why it was made.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from otokura.access.errors import NotReady
from otokura.access.evidence import facts as names
from otokura.access.evidence.container import SealedArchive
from otokura.access.evidence.custody import History
from otokura.access.evidence.facts import Facts, Timestamp, audio_name, checkpoint_name, manifest_bytes
from otokura.access.evidence.readme import readme
from otokura.access.evidence.signing import public_text, sign_manifest, signed_vcon
from otokura.access.evidence.summary import summary
from otokura.access.lifecycle.archive import Member
from otokura.access.lifecycle.renditions import add_rendition
from otokura.access.reads.content import RawRecording, Rendition
from otokura.access.reads.decoded_audio import RawStretch, Stretch
from otokura.access.reads.gate import OpenedRead
from otokura.access.reads.rendering import text
from otokura.access.reads.stored import announced_transcript, parsed_transcript, transcript_bytes
from otokura.access.reads.vcon import AudioFile, Source, vcon
from otokura.shared.events import TenantSettings, TranscriptCompleted
from otokura.shared.transcripts import Transcript


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A transcript, and what transcribe announced of it."""

    announced: TranscriptCompleted
    stored: bytes
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class _Written:
    """What is written last: texts for people by name, and the manifest that names them too."""

    texts: dict[str, bytes]
    manifest: bytes


class Bundle:
    """One bundle.

    Args:
        opened: the read: permitted, and written down.
        history: of the call, up to that entry at least.
        settings: of the tenant.
        reason: why it is made.
    """

    def __init__(self, opened: OpenedRead, history: History, settings: TenantSettings, reason: str) -> None:
        self._opened = opened
        self._history = history
        self._settings = settings
        self._reason = reason
        self._made_at = datetime.now(UTC)
        self._key = opened.state.evidence.key
        self._archive = SealedArchive(self._made_at, self._key)
        self._missing: dict[str, str] = {}
        self._sha512 = hashlib.sha512()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The bundle's bytes.

        Raises:
            Unavailable, IntegrityError: it breaks off, and no bundle verifies that was broken off.
        """
        heard = False
        async for chunk in self._audio():
            heard = True
            yield chunk
        for name, content in await self._said(heard=heard):
            self._archive.add(name, content)
            yield self._archive.take()
        async for chunk in self._told():
            yield chunk
        await self._conclude()
        yield self._archive.finish()

    async def _audio(self) -> AsyncGenerator[bytes]:
        """The recording as anybody can play it, and as it was received.

        What takes a decoder comes first: when all are taken, that is known before a byte was sent.
        """
        manifest, patience = self._opened.manifest, self._opened.state.settings.stalled_seconds
        if self._opened.permit.row["recording_erased_at"] is not None:
            self._missing["audio"] = "recording-erased"
            return
        playable = RawStretch(manifest, Stretch.whole(manifest), patience)
        async for chunk in self._rendition("audio/playable.wav", playable):
            yield chunk
        received = audio_name(manifest.recording.media_type)
        async for chunk in self._rendition(received, RawRecording(manifest), self._sha512.update):
            yield chunk

    async def _rendition(
        self, name: str, rendition: Rendition, hashed: Callable[[bytes], None] | None = None
    ) -> AsyncGenerator[bytes]:
        def missing(why: str) -> None:
            self._missing[name] = why

        added = add_rendition(self._archive, name, rendition, self._opened, missing, hashed)
        async with aclosing(added) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _said(self, *, heard: bool) -> list[tuple[str, bytes]]:
        """Transcript, vCon, and what was sealed."""
        manifest, opened = self._opened.manifest, self._opened
        spoken = await self._spoken()
        files = [(names.RECORDING, manifest.canonical())]
        if spoken is not None:
            files.append(("transcript/transcript.json", spoken.stored))
            files.append(("transcript/transcript.txt", text(spoken.transcript).encode()))
        audio = AudioFile(audio_name(manifest.recording.media_type), self._sha512.digest(), opened.read_id)
        source = Source(
            manifest,
            spoken.announced.version if spoken else 0,
            spoken.announced.completed_at if spoken else self._made_at,
            audio=audio if heard else None,
        )
        transcript = spoken.transcript if spoken else None
        signed = await asyncio.to_thread(lambda: signed_vcon(self._key, vcon(transcript, source)))
        return [*files, (names.VCON, signed)]

    async def _spoken(self) -> _Spoken | None:
        opened = self._opened
        try:
            announced = await announced_transcript(opened.state, opened.permit)
        except NotReady:
            erased = opened.permit.row["transcript_erased_at"] is not None
            self._missing["transcript"] = "transcript-erased" if erased else "no-transcript"
            return None
        stored = await transcript_bytes(opened.state.store, await opened.unwrap(), announced)
        return _Spoken(announced, stored, parsed_transcript(stored, announced))

    async def _told(self) -> AsyncGenerator[bytes]:
        """The history of the call, and the checkpoints that it is proved in."""
        member = self._archive.begin(names.ENTRIES)
        async with aclosing(self._history.lines()) as lines:
            async for chunk in lines:
                member.write(chunk)
                yield self._archive.take()
        member.end()
        for tree in self._history.trees:
            self._archive.add(checkpoint_name(tree), tree.checkpoint.encode())

    async def _conclude(self) -> None:
        """What says what all the rest is, the signature over it, and the time of both.

        Raises:
            Unavailable: a timestamp is required, and cannot be had.
        """
        authority = self._opened.state.evidence.authority
        if authority is None:
            await self._finish(Timestamp(None, "not-configured"))
            return
        # What is stamped says that it is: it is written before, and written anew where that is not so.
        hoped = await self._written(Timestamp(authority.url, None))
        stamp = await authority.must(hoped.manifest)
        if stamp is None:
            await self._finish(Timestamp(authority.url, "unavailable"))
            return
        self._add(hoped)
        self._archive.add(names.TIMESTAMP, stamp)

    async def _finish(self, timestamp: Timestamp) -> None:
        self._add(await self._written(timestamp))

    async def _written(self, timestamp: Timestamp) -> _Written:
        facts = self._facts()
        page = await asyncio.to_thread(summary, facts, timestamp)
        texts = {names.README: readme(facts, timestamp), names.SUMMARY: page}
        members = [*self._archive.members, *(_member(name, content) for name, content in texts.items())]
        return _Written(texts, manifest_bytes(replace(facts, members=members), timestamp))

    def _add(self, written: _Written) -> None:
        for name, content in written.texts.items():
            self._archive.add(name, content)
        self._archive.add(names.MANIFEST, written.manifest)
        self._archive.add(names.SIGNATURE, sign_manifest(self._key, written.manifest))

    def _facts(self) -> Facts:
        opened = self._opened
        reader = opened.permit.reader
        return Facts(
            evidence_id=opened.read_id,
            made_at=self._made_at,
            made_by={"id": str(reader.facts.id), "name": reader.name},
            reason=self._reason,
            opened=opened.entry_id,
            manifest=opened.manifest,
            manifest_sha256=opened.manifest.sha256(),
            settings=self._settings,
            trees=self._history.trees,
            told=self._history.told,
            public_key=public_text(self._key),
            missing=self._missing,
        )


def _member(name: str, content: bytes) -> Member:
    return Member(name, len(content), hashlib.sha256(content).hexdigest())
