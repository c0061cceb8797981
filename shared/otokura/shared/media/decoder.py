"""Decodes audio files of unknown origin, in a confined process of their own.

`probe` decodes the whole file to say exactly what it holds; `decode` gives its samples. The process gets the
file in the ranges it asks for, over a pipe, so plaintext touches no disk and a file of any size takes the
same memory. See `child` for the other side and `confine` for what is taken from it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from otokura.shared.errors import UnsupportedMedia
from otokura.shared.media.formats import MAX_RATE, MIN_RATE
from otokura.shared.media.process import DecoderProcess, misbehaved
from otokura.shared.media.wire import MAX_BYTES, READ, Message, Reason
from otokura.shared.sealed_objects import RangeSource

_Model = TypeVar("_Model", bound=BaseModel)
_Name = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")]

_WORDS = {
    Reason.UNKNOWN: (
        "The file cannot be opened as WAV, FLAC, MP3, M4A, Ogg, WebM, AMR or AIFF: "
        "it is of another kind, or damaged."
    ),
    Reason.NO_AUDIO: "The file holds no audio.",
    Reason.SEVERAL_STREAMS: "The file holds {value} audio streams; send one, with a channel for each side.",
    Reason.CODEC: "The file's audio is encoded as {name}, which is not accepted.",
    Reason.CHANNELS: "The file has {value} channels; a call has one or two.",
    Reason.RATE: "The file has {value} samples a second; between 4,000 and 192,000 are accepted.",
    Reason.CHANGES: "The file changes its sample rate or channels after {value} ms.",
    Reason.DAMAGED: "The file is damaged after {value} ms of audio.",
    Reason.TRUNCATED: "The file ends after {value} ms of audio, before the end that it declares.",
    Reason.TOO_LONG: "The file is longer than {value} seconds.",
    Reason.MEMORY: "The file takes more memory to decode than a recording may.",
}


READS = 3
"""How often a file may be read over: once to decode it, and its ends again to find out what it is."""
_READS_FREE, _READ_COST = 64 * 1024 * 1024, 16 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take.

    Attributes:
        memory_bytes: address space of the process.
        cpu_seconds: its processor time.
        wall_seconds: how long it may be waited for in sum; not counted while the file is read or the samples
            are being used.
        max_channels: channels of the audio.
        max_seconds: length of the audio.
    """

    memory_bytes: int = 512 * 1024 * 1024
    cpu_seconds: int = 900
    wall_seconds: float = 1800
    max_channels: int = 2
    max_seconds: int = 7 * 24 * 3600


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file holds; `samples` counts one channel. Names are FFmpeg's."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    samples: int

    @property
    def duration_ms(self) -> int:
        """Milliseconds, rounded down."""
        return self.samples * 1000 // self.sample_rate


@dataclass(frozen=True, slots=True)
class Pcm:
    """At most a second of audio.

    Attributes:
        start: where it begins, in samples at `sample_rate`.
        sample_rate: samples a second of each channel.
        channels: interleaved in `data`.
        data: signed 16-bit little-endian samples.
    """

    start: int
    sample_rate: int
    channels: int
    data: bytes

    @property
    def samples(self) -> int:
        """Samples of each channel."""
        return len(self.data) // (2 * self.channels)


class _Format(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    container: _Name
    codec: _Name
    sample_rate: int = Field(ge=MIN_RATE, le=MAX_RATE)
    channels: int = Field(ge=1, le=64)


class _Done(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    samples: int = Field(gt=0, le=2**48)


class _Failed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: Reason
    name: _Name = "unknown"
    value: int = 0


async def probe(source: RangeSource, limits: Limits = DEFAULT_LIMITS) -> MediaInfo:
    """Says exactly what a file holds, by decoding all of it.

    Raises:
        UnsupportedMedia: the file cannot be decoded whole within the limits; the words say why.
    """
    found: _Format | None = None
    async with _decoder(source, limits, rate=None, pcm=False) as messages:
        async for kind, payload in messages:
            if kind is Message.FORMAT:
                found = _parse(_Format, payload)
            elif kind is Message.DONE and found is not None:
                return MediaInfo(**found.model_dump(), samples=_parse(_Done, payload).samples)
    raise misbehaved()


async def decode(
    source: RangeSource, *, rate: int | None = None, limits: Limits = DEFAULT_LIMITS
) -> AsyncGenerator[Pcm]:
    """The samples of a file, in blocks of at most one second.

    Args:
        source: the file.
        rate: samples a second to resample to; None keeps the file's own.
        limits: what it may take.

    Raises:
        UnsupportedMedia: the file cannot be decoded whole within the limits; what came before was decoded.
    """
    found: _Format | None = None
    start = 0
    async with _decoder(source, limits, rate=rate, pcm=True) as messages:
        async for kind, payload in messages:
            if kind is Message.FORMAT:
                found = _parse(_Format, payload)
            elif found is not None and kind is Message.AUDIO:
                block = Pcm(start, rate or found.sample_rate, found.channels, payload)
                if (
                    not block.samples
                    or len(payload) % (2 * found.channels)
                    or block.samples > block.sample_rate
                ):
                    raise misbehaved()
                start += block.samples
                yield block
            elif found is not None and kind is Message.DONE:
                return
    raise misbehaved()


@asynccontextmanager
async def _decoder(
    source: RangeSource, limits: Limits, *, rate: int | None, pcm: bool
) -> AsyncGenerator[AsyncIterator[tuple[Message, bytes]]]:
    if source.size == 0:
        raise UnsupportedMedia("The file is empty.")
    if rate is not None and not MIN_RATE <= rate <= MAX_RATE:
        raise ValueError(f"{rate} is not a sample rate between {MIN_RATE} and {MAX_RATE}")
    job = {
        "size": source.size,
        "rate": rate,
        "pcm": pcm,
        "memory_bytes": limits.memory_bytes,
        "cpu_seconds": limits.cpu_seconds,
        "max_channels": limits.max_channels,
        "max_seconds": limits.max_seconds,
    }
    async with (
        DecoderProcess.started(limits.wall_seconds) as process,
        aclosing(_messages(process, source, job)) as messages,
    ):
        yield messages


async def _messages(
    process: DecoderProcess, source: RangeSource, job: dict[str, int | bool | None]
) -> AsyncGenerator[tuple[Message, bytes]]:
    """What the child says, its reads answered and its failures raised."""
    await process.send(Message.JOB, json.dumps(job).encode())
    budget = READS * source.size + _READS_FREE
    while True:
        kind, payload = await process.receive()
        if kind is Message.READ:
            data = await _read(source, payload)
            # A file whose samples lie scattered makes a request of each, and a megabyte of each request.
            budget -= len(data) + _READ_COST
            if budget < 0:
                raise UnsupportedMedia(
                    "The file is laid out so that it must be read over and over: store it anew."
                )
            await process.send(Message.DATA, data)
        elif kind is Message.FAILED:
            failed = _parse(_Failed, payload)
            raise UnsupportedMedia(_WORDS[failed.reason].format(name=failed.name, value=failed.value))
        else:
            yield kind, payload


async def _read(source: RangeSource, wanted: bytes) -> bytes:
    if len(wanted) != READ.size:
        raise misbehaved()
    offset, length = READ.unpack(wanted)
    if not 0 < length <= MAX_BYTES or offset + length > source.size:
        raise misbehaved()
    return await source.read(offset, length)


def _parse(model: type[_Model], payload: bytes) -> _Model:
    try:
        return model.model_validate_json(payload)
    except ValidationError:
        raise misbehaved() from None
