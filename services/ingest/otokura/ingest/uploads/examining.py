"""A stored file is opened in the sandbox, through decrypted ranges, before it becomes a call's recording."""

from __future__ import annotations

from dataclasses import dataclass

from otokura.ingest.call_keys import CallKey
from otokura.ingest.errors import ChannelsDiffer, Fenced
from otokura.ingest.models import Call, Origin
from otokura.ingest.service import Audio
from otokura.ingest.state import State
from otokura.shared.errors import NotFound
from otokura.shared.keys import Kind
from otokura.shared.manifest import StoredObject
from otokura.shared.media.decoder import DEFAULT_LIMITS, Limits, MediaInfo, probe
from otokura.shared.sealed_objects import SealedInfo, SealedObject

MEDIA_TYPES = {
    "wav": "audio/wav",
    "aiff": "audio/aiff",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "mov": "audio/mp4",
    "ogg": "audio/ogg",
    "matroska": "audio/x-matroska",
    "amr": "audio/amr",
}
"""By FFmpeg's name of the container, which is what was found, not what the client said."""
MAX_CPU_SECONDS = DEFAULT_LIMITS.cpu_seconds


@dataclass(frozen=True)
class StoredFile:
    """The file as it was sealed into the bucket under the call's key."""

    call: Call
    key: CallKey
    name: str
    info: SealedInfo


async def examine(state: State, file: StoredFile) -> Audio:
    """Decode all of it: what it holds becomes the manifest.

    Raises:
        UnsupportedMedia: it cannot be decoded whole; the words say why.
        ChannelsDiffer: it has another number of channels than the call declared.
        Fenced: the object is gone, for the call was settled by another.
    """
    bucket = state.settings.recordings_bucket
    source = SealedObject(
        state.store,
        bucket,
        file.name,
        key=file.key.of(Kind.RECORDING),
        associated_data=file.key.binding(Kind.RECORDING),
        plaintext_bytes=file.info.plaintext_bytes,
    )
    try:
        async with state.decoding:
            media = await probe(source, _limits(state, file.info.plaintext_bytes))
    except NotFound:
        # Only cleaning removes it, after a newer upload has settled the call.
        raise Fenced from None
    if media.channels != len(file.call.channels):
        raise ChannelsDiffer(len(file.call.channels), media.channels)
    return _audio(bucket, file, media)


def _limits(state: State, size: int) -> Limits:
    """What examining a file of so many bytes may take: a small one must not hold a decoder for long.

    A megabyte is 22 minutes of the sparsest speech (Opus at 6 kbit/s), which is decoded in seconds.
    """
    megabytes = size // 1_000_000
    return Limits(
        cpu_seconds=min(MAX_CPU_SECONDS, 30 + 30 * megabytes), max_seconds=state.settings.max_call_seconds
    )


def _audio(bucket: str, file: StoredFile, media: MediaInfo) -> Audio:
    recording = StoredObject(
        bucket=bucket,
        name=file.name,
        media_type=_media_type(media),
        plaintext_bytes=file.info.plaintext_bytes,
        plaintext_sha256=file.info.plaintext_sha256,
    )
    return Audio(Origin.UPLOAD, media.sample_rate, media.samples, [], recording)


def _media_type(media: MediaInfo) -> str:
    """WebM is Matroska with Opus or Vorbis in it, and players know it by that name alone."""
    if media.container == "matroska" and media.codec in {"opus", "vorbis"}:
        return "audio/webm"
    return MEDIA_TYPES.get(media.container, "application/octet-stream")
