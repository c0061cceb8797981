"""The recording without what is redacted: decoded, covered and handed on as WAV, as it is asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from otokura.access.reads.content import nothing
from otokura.access.reads.covering import Covering, spans_of
from otokura.access.reads.decoded_audio import DecodedAudio, Stretch, tag_of
from otokura.access.reads.gate import OpenedRead
from otokura.access.reads.stored import searched, stored_transcript
from otokura.access.reads.views import Cover, View
from otokura.access.reads.wave_file import MEDIA_TYPE
from otokura.shared.events import TranscriptCompleted
from otokura.shared.manifest import Manifest
from otokura.shared.ranges import ByteRange

_FORM = "redacted-audio-1"
"""Another one whenever the same recording gives other bytes: a range must not go on with them."""


@dataclass(frozen=True, slots=True)
class RedactedRecording:
    """A rendition of a recording: what the newest transcript redacts is covered.

    Attributes:
        manifest: of the recording.
        announced: what was said of that transcript.
        cover: what is heard instead.
        patience: for how many seconds a decoder waits for a reader who takes nothing.
        stretch: what is given of it; None for all of it.
    """

    manifest: Manifest
    announced: TranscriptCompleted
    cover: Cover
    patience: float | None
    stretch: Stretch | None = None

    @property
    def media_type(self) -> str:
        """WAV, whatever was sealed."""
        return MEDIA_TYPE

    @property
    def _audio(self) -> DecodedAudio:
        return DecodedAudio(self.manifest, self.stretch or Stretch.whole(self.manifest))

    @property
    def size(self) -> int:
        """In bytes."""
        return self._audio.file.size

    @property
    def etag(self) -> str:
        """Of all that the bytes depend on."""
        made_of = self.manifest.recording.plaintext_sha256, self.announced.plaintext_sha256
        stretch = (f"{self.stretch.first}-{self.stretch.stop}",) if self.stretch else ()
        return tag_of(_FORM, *made_of, self.cover.value, *stretch)

    def about(self) -> dict[str, Any]:
        """What `read.opened` says of it."""
        stretch = self.stretch
        samples = {"samples": {"first": stretch.first, "stop": stretch.stop}} if stretch else {}
        return samples | {
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
        audio, dek = self._audio, await opened.unwrap()
        transcript = searched(await stored_transcript(opened.state.store, dek, self.announced))
        spans = spans_of(transcript, audio.file.sample_rate, audio.file.channels)
        if span is None:
            return nothing()
        covering = Covering(spans, self.cover, audio.file.sample_rate)
        return await audio.begin(opened, dek, span, covering.apply)
