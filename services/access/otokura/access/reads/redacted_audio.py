"""The recording without what is redacted: decoded, covered and handed on as WAV, as it is asked for.

WAV, because each byte of it is a sample with a place: a span is gone when its samples are, no codec frame or
padding can hold a rest of it, and any range can be given exactly without the bytes before it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from otokura.access.errors import Undecodable
from otokura.access.reads.content import AT_ONCE_BYTES, after, nothing, once
from otokura.access.reads.covering import Covering, spans_of
from otokura.access.reads.delivery import watched
from otokura.access.reads.gate import OpenedRead
from otokura.access.reads.stored import Present, searched, stored_transcript
from otokura.access.reads.views import Cover, View
from otokura.access.reads.wave_file import MEDIA_TYPE, WaveFile
from otokura.access.state import AccessState
from otokura.shared.errors import IntegrityError, Unavailable, UnsupportedMedia
from otokura.shared.events import TranscriptCompleted
from otokura.shared.manifest import Manifest
from otokura.shared.media.decoder import decode
from otokura.shared.media.flac_tail import tail
from otokura.shared.ranges import ByteRange
from otokura.shared.sealed_objects import open_recording

_FORM = "redacted-audio-1"
"""Another one whenever the same recording gives other bytes: a range must not go on with them."""
_LONGEST_WAIT_SECONDS = 10.0
"""For another reader's decoder to be free."""


@dataclass(frozen=True, slots=True)
class RedactedRecording:
    """A rendition of a recording: what the newest transcript redacts is covered.

    Attributes:
        manifest: of the recording.
        announced: what was said of that transcript.
        cover: what is heard instead.
        patience: for how many seconds a decoder waits for a reader who takes nothing.
    """

    manifest: Manifest
    announced: TranscriptCompleted
    cover: Cover
    patience: float | None

    @property
    def media_type(self) -> str:
        """WAV, whatever was sealed."""
        return MEDIA_TYPE

    @property
    def file(self) -> WaveFile:
        """The form of the rendition: what the manifest counted when the recording was sealed."""
        manifest = self.manifest
        return WaveFile(manifest.sample_rate, len(manifest.channels), manifest.samples)

    @property
    def size(self) -> int:
        """In bytes."""
        return self.file.size

    @property
    def etag(self) -> str:
        """Of all that the bytes depend on."""
        made_of = self.manifest.recording.plaintext_sha256, self.announced.plaintext_sha256
        told = ":".join((_FORM, *made_of, self.cover.value))
        return f'"{hashlib.sha256(told.encode()).hexdigest()}"'

    def about(self) -> dict[str, Any]:
        """What `read.opened` says of it."""
        return {
            "kind": "audio",
            "view": View.REDACTED.value,
            "cover": self.cover.value,
            "transcript_version": self.announced.version,
        }

    async def begin(self, opened: OpenedRead, span: ByteRange | None) -> AsyncGenerator[bytes]:
        """The bytes, the first of them decoded and covered before this returns.

        Raises:
            NotReady: the transcript was never searched for what to redact.
            Undecodable: the recording cannot be decoded any more.
            IntegrityError: the key, the transcript or the recording is not what was stored.
            Unavailable: the store or the key provider is away, or all decoders are taken.
        """
        state, dek, file = opened.state, await opened.unwrap(), self.file
        transcript = searched(await stored_transcript(state.store, dek, self.announced))
        spans = spans_of(transcript, file.sample_rate, file.channels)
        if span is None:
            return nothing()
        covering = Covering(spans, self.cover, file.sample_rate)
        chunks = watched(opened, self._chunks(state, dek, covering, span))
        if span.length <= AT_ONCE_BYTES:
            return once(b"".join([chunk async for chunk in chunks]))
        return after(await anext(chunks), chunks)

    async def _chunks(
        self, state: AccessState, dek: bytes, covering: Covering, span: ByteRange
    ) -> AsyncGenerator[bytes]:
        """The bytes of a span; empty chunks while what lies before it is decoded."""
        header, file = self.file.header(), self.file
        lead = header[span.start : span.stop]
        if span.stop <= len(header):
            yield lead
            return
        start, stop = max(0, span.start - len(header)), span.stop - len(header)
        async with aclosing(_samples(state, self.manifest, dek, start // file.frame_bytes)) as blocks:
            async for number, pcm in blocks:
                at = number * file.frame_bytes
                if at + len(pcm) <= start:
                    yield b""
                    continue
                yield lead + covering.apply(number, pcm)[max(0, start - at) : stop - at]
                lead = b""
                # What ends with the recording is decoded to its end, which shows whether that was all.
                if at + len(pcm) >= stop and stop < file.data_bytes:
                    return


async def _samples(
    state: AccessState, manifest: Manifest, dek: bytes, first: int
) -> AsyncGenerator[tuple[int, bytes]]:
    """The recording as blocks of PCM with the number of their first sample, from `first` or before it on.

    Only what ingest encoded itself is entered in the middle: frames of other codecs need those before them,
    and a table that somebody else wrote may lie about what stands where.
    """
    recording = Present(open_recording(state.store, manifest, dek, state.headers))
    source, start = await tail(recording, first) if manifest.origin == "live" else (recording, 0)
    shape, at = (manifest.sample_rate, len(manifest.channels)), start
    async with _decoder_of(state), aclosing(decode(source)) as decoded:
        try:
            async for pcm in decoded:
                at = start + pcm.start + pcm.samples
                if (pcm.sample_rate, pcm.channels) != shape or at > manifest.samples:
                    raise IntegrityError("The recording is not what its manifest says.")
                yield start + pcm.start, pcm.data
        except UnsupportedMedia as error:
            raise Undecodable(f"The recording cannot be decoded as it was when it came: {error}") from error
    if at != manifest.samples:
        raise IntegrityError("The recording is shorter than its manifest says.")


@asynccontextmanager
async def _decoder_of(state: AccessState) -> AsyncGenerator[None]:
    """One of the decoders that may run at once.

    Raises:
        Unavailable: all of them are taken.
    """
    try:
        async with asyncio.timeout(_LONGEST_WAIT_SECONDS):
            await state.decoding.acquire()
    except TimeoutError:
        raise Unavailable(
            "As many redacted recordings as this service decodes at once are being heard: try again soon.",
            headers={"Retry-After": "10"},
        ) from None
    try:
        yield
    finally:
        state.decoding.release()
