"""A recording decoded as it is heard, and handed on as WAV: all of it, or one stretch and not a sample more.

WAV, because each byte of it is a sample with a place: what is not given is not there, no codec frame or
padding can hold a rest of it, and any range can be given exactly without the bytes before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from otokura.access.errors import Undecodable
from otokura.access.reads.content import AT_ONCE_BYTES, after, nothing, once
from otokura.access.reads.delivery import watched
from otokura.access.reads.gate import OpenedRead
from otokura.access.reads.stored import Present
from otokura.access.reads.views import View
from otokura.access.reads.wave_file import MEDIA_TYPE, WaveFile
from otokura.shared.errors import IntegrityError, RangeNotSatisfiable, UnsupportedMedia
from otokura.shared.manifest import Manifest
from otokura.shared.media.decoder import decode
from otokura.shared.media.flac_tail import tail
from otokura.shared.ranges import ByteRange
from otokura.shared.sealed_objects import open_recording

_FORM = "stretch-1"
"""Another one whenever the same stretch gives other bytes: a range must not go on with them."""
_MS_PER_SECOND = 1000

Change = Callable[[int, bytes], bytes]
"""Makes of a block of samples what is heard, by the number of its first sample in the recording."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples [first, stop) of a recording."""

    first: int
    stop: int

    @classmethod
    def whole(cls, manifest: Manifest) -> Stretch:
        """All of it."""
        return cls(0, manifest.samples)

    @classmethod
    def between(cls, manifest: Manifest, start_ms: int, end_ms: int) -> Stretch:
        """The samples that lie between two times, and none that begins before or ends after.

        Raises:
            RangeNotSatisfiable: the recording has none there.
        """
        rate = manifest.sample_rate
        first = -(-start_ms * rate // _MS_PER_SECOND)
        stop = min(end_ms * rate // _MS_PER_SECOND, manifest.samples)
        if first >= stop:
            raise RangeNotSatisfiable(
                "The recording has nothing in the stretch of time that the grant gives."
            )
        return cls(first, stop)


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """A stretch of a recording as a WAV file."""

    manifest: Manifest
    stretch: Stretch

    @property
    def file(self) -> WaveFile:
        """Its form: what the manifest counted when the recording was sealed."""
        manifest = self.manifest
        samples = self.stretch.stop - self.stretch.first
        return WaveFile(manifest.sample_rate, len(manifest.channels), samples)

    async def begin(
        self, opened: OpenedRead, dek: bytes, span: ByteRange, change: Change
    ) -> AsyncGenerator[bytes]:
        """The bytes of a span of the file, the first of them decoded and changed before this returns.

        Raises:
            Undecodable: the recording cannot be decoded any more.
            IntegrityError: the key or the recording is not what was stored.
            Unavailable: the store is away, or all decoders are taken, or all that one reader may have.
        """
        chunks = watched(opened, self._chunks(opened, dek, span, change))
        if span.length <= AT_ONCE_BYTES:
            return once(b"".join([chunk async for chunk in chunks]))
        return after(await anext(chunks), chunks)

    async def _chunks(
        self, opened: OpenedRead, dek: bytes, span: ByteRange, change: Change
    ) -> AsyncGenerator[bytes]:
        """The bytes of a span; empty chunks while what lies before it is decoded."""
        file = self.file
        header, frame = file.header(), file.frame_bytes
        lead = header[span.start : span.stop]
        if span.stop <= len(header):
            yield lead
            return
        # From here on bytes of the recording's samples, of which the file's are a part.
        before = self.stretch.first * frame - len(header)
        start, stop = before + max(len(header), span.start), before + span.stop
        async with aclosing(_samples(opened, self.manifest, dek, start // frame)) as blocks:
            async for number, pcm in blocks:
                at = number * frame
                if at + len(pcm) <= start:
                    yield b""
                    continue
                yield lead + change(number, pcm)[max(0, start - at) : stop - at]
                lead = b""
                # What ends with the recording is decoded to its end, which shows whether that was all.
                if at + len(pcm) >= stop and stop < self.manifest.samples * frame:
                    return


@dataclass(frozen=True, slots=True)
class RawStretch:
    """A rendition: a stretch of a recording, as it was said.

    Attributes:
        manifest: of the recording.
        stretch: what is given of it.
        patience: for how many seconds a decoder waits for a reader who takes nothing.
    """

    manifest: Manifest
    stretch: Stretch
    patience: float | None

    @property
    def media_type(self) -> str:
        """WAV, whatever was sealed."""
        return MEDIA_TYPE

    @property
    def size(self) -> int:
        """In bytes."""
        return DecodedAudio(self.manifest, self.stretch).file.size

    @property
    def etag(self) -> str:
        """Of all that the bytes depend on."""
        stretch = f"{self.stretch.first}-{self.stretch.stop}"
        return tag_of(_FORM, self.manifest.recording.plaintext_sha256, stretch)

    def about(self) -> dict[str, Any]:
        """What `read.opened` says of it."""
        stretch = {"first": self.stretch.first, "stop": self.stretch.stop}
        return {"kind": "audio", "view": View.RAW.value, "samples": stretch}

    async def begin(self, opened: OpenedRead, span: ByteRange | None) -> AsyncGenerator[bytes]:
        """The bytes; see `DecodedAudio.begin`."""
        dek = await opened.unwrap()
        if span is None:
            return nothing()
        return await DecodedAudio(self.manifest, self.stretch).begin(opened, dek, span, _unchanged)


def _unchanged(_number: int, pcm: bytes) -> bytes:
    return pcm


def tag_of(*made_of: str) -> str:
    """A strong entity tag of what bytes are made of."""
    return f'"{hashlib.sha256(":".join(made_of).encode()).hexdigest()}"'


async def _samples(
    opened: OpenedRead, manifest: Manifest, dek: bytes, first: int
) -> AsyncGenerator[tuple[int, bytes]]:
    """The recording as blocks of PCM with the number of their first sample, from `first` or before it on.

    Only what ingest encoded itself is entered in the middle: frames of other codecs need those before them,
    and a table that somebody else wrote may lie about what stands where.
    """
    state, reader = opened.state, opened.permit.reader.facts
    recording = Present(open_recording(state.store, manifest, dek, state.headers))
    source, start = await tail(recording, first) if manifest.origin == "live" else (recording, 0)
    shape, at = (manifest.sample_rate, len(manifest.channels)), start
    async with state.decoding.one(reader.id), aclosing(decode(source)) as decoded:
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
