"""The decoder process: `python -I -m otokura.shared.media.child`, started by `otokura.shared.media.decoder`.

Speaks `wire` on stdin and stdout. It holds no key and no name; the file comes to it in the ranges that it
asks for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, cast

import av
import av.subtitles.codeccontext
import av.subtitles.stream
import av.video.codeccontext
import av.video.stream
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container.input import InputContainer
from av.error import FFmpegError
from av.logging import PANIC, set_level

from otokura.shared.media.confine import confine
from otokura.shared.media.declared import mp3_counts_frames, wav_ends_early
from otokura.shared.media.formats import CODECS, MAX_RATE, MIN_RATE, OPEN_OPTIONS
from otokura.shared.media.wire import HEADER, MAX_BYTES, READ, Message, Reason

# PyAV imports these when a file has such streams: too late, for then no file can be opened any more.
_PRELOADED = (av.subtitles.codeccontext, av.subtitles.stream, av.video.codeccontext, av.video.stream)

_SLACK_SECONDS = 0.5
"""Declared lengths are rounded, and count the codec's delay or do not."""


class RefusedError(Exception):
    """The file is not decoded, for this reason."""

    def __init__(self, reason: Reason, **values: str | int) -> None:
        super().__init__(reason)
        self.answer = {"reason": reason, **values}


def send(kind: Message, payload: bytes | bytearray) -> None:
    """Writes a message to the parent."""
    view = memoryview(HEADER.pack(kind, len(payload)) + payload)
    while view:
        view = view[os.write(1, view) :]


def receive() -> bytes:
    """The next message of the parent, which is always the one expected."""
    _, length = HEADER.unpack(_read(HEADER.size))
    return _read(length)


def _read(length: int) -> bytes:
    parts: list[bytes] = []
    while length:
        part = os.read(0, length)
        if not part:
            raise SystemExit(1)  # the parent is gone
        parts.append(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class RemoteFile:
    """The file behind the pipe, as PyAV wants a file to be."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._position = 0

    def read(self, length: int) -> bytes:
        """The next bytes; none at the end."""
        data = self.read_at(self._position, length)
        self._position += len(data)
        return data

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes at an offset; fewer at the end."""
        length = min(length, self._size - offset, MAX_BYTES)
        if length <= 0:
            return b""
        send(Message.READ, READ.pack(offset, length))
        return receive()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves; PyAV asks for the end to learn the size."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position


class Decoding:
    """One file being decoded; every way in which it cannot be is a `RefusedError`."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self._file = RemoteFile(job["size"])
        self._container = self._open()
        self._stream = self._choose()
        self._samples = 0
        self._rate = 0
        self._resampler: AudioResampler | None = None
        self._layout = ""
        self._block = bytearray()

    def run(self) -> None:
        """Decodes all of it."""
        for frame in self._frames():
            self._take(frame)
        if not self._samples:
            raise RefusedError(Reason.NO_AUDIO)
        self._check_end()
        if self._resampler:
            self._emit(None)
            self._flush(0)
        send(Message.DONE, json.dumps({"samples": self._samples}).encode())

    def _open(self) -> InputContainer:
        try:
            return av.open(
                self._file, "r", buffer_size=MAX_BYTES, options=OPEN_OPTIONS, metadata_errors="replace"
            )
        except (FFmpegError, ValueError) as error:
            raise _refusal(error, Reason.UNKNOWN) from error

    def _choose(self) -> AudioStream:
        streams = list(self._container.streams.audio)
        if not streams:
            raise RefusedError(Reason.NO_AUDIO)
        if len(streams) > 1:
            raise RefusedError(Reason.SEVERAL_STREAMS, value=len(streams))
        # PyAV says None, against its types, where FFmpeg has no decoder; no decoder is open yet.
        context = cast("AudioCodecContext | None", streams[0].codec_context)
        if context is None or context.name not in CODECS:
            raise RefusedError(Reason.CODEC, name="unknown" if context is None else context.name)
        context.thread_count = 1  # the confined process may start no thread
        return streams[0]

    def _frames(self) -> Iterator[AudioFrame]:
        try:
            for packet in self._container.demux(self._stream):
                yield from packet.decode()
        except FFmpegError as error:
            raise _refusal(error, Reason.DAMAGED, self._milliseconds()) from error

    def _take(self, frame: AudioFrame) -> None:
        if not self._rate:
            self._begin(frame)
        if (frame.sample_rate, frame.layout.name) != (self._rate, self._layout):
            raise RefusedError(Reason.CHANGES, value=self._milliseconds())
        self._samples += frame.samples
        if self._samples > self._rate * self._job["max_seconds"]:
            raise RefusedError(Reason.TOO_LONG, value=self._job["max_seconds"])
        if self._resampler:
            frame.pts = None
            self._emit(frame)

    def _begin(self, frame: AudioFrame) -> None:
        """The format is the first frame's: headers can be wrong, and HE-AAC doubles the rate they name."""
        channels, rate = frame.layout.nb_channels, frame.sample_rate
        if not 1 <= channels <= self._job["max_channels"]:
            raise RefusedError(Reason.CHANNELS, value=channels)
        if not MIN_RATE <= rate <= MAX_RATE:
            raise RefusedError(Reason.RATE, value=rate)
        self._rate, self._layout = rate, frame.layout.name
        out_rate = self._job["rate"] or rate
        if self._job["pcm"]:
            self._resampler = AudioResampler("s16", frame.layout, out_rate)
            self._frame_bytes = 2 * channels
            self._block_bytes = out_rate * self._frame_bytes
        description = {
            "container": self._container.format.name.split(",")[0],
            "codec": self._stream.codec_context.name,
            "sample_rate": rate,
            "channels": channels,
        }
        send(Message.FORMAT, json.dumps(description).encode())

    def _emit(self, frame: AudioFrame | None) -> None:
        if self._resampler is None:
            return
        for out in cast("list[AudioFrame | None]", self._resampler.resample(frame)):
            if out is None:  # flushed, with nothing to convert
                continue
            self._block += memoryview(out.planes[0])[: out.samples * self._frame_bytes]
        self._flush(self._block_bytes)

    def _flush(self, at_least: int) -> None:
        while len(self._block) >= max(at_least, 1):
            send(Message.AUDIO, self._block[: self._block_bytes])
            del self._block[: self._block_bytes]

    def _check_end(self) -> None:
        name = self._container.format.name
        if name == "wav" and wav_ends_early(self._file, self._job["size"]):
            raise RefusedError(Reason.TRUNCATED, value=self._milliseconds())
        declared = 0.0
        if (name in {"flac", "aiff"} or name.startswith("mov")) or (
            name == "mp3" and mp3_counts_frames(self._file)
        ):
            declared = float((self._stream.duration or 0) * (self._stream.time_base or 0))
        elif name.startswith("matroska") and len(self._container.streams) == 1:
            declared = (self._container.duration or 0) / av.time_base
        if self._samples / self._rate + _SLACK_SECONDS < declared:
            raise RefusedError(Reason.TRUNCATED, value=self._milliseconds())

    def _milliseconds(self) -> int:
        return self._samples * 1000 // self._rate if self._rate else 0


def _refusal(error: Exception, reason: Reason, value: int = 0) -> RefusedError:
    return RefusedError(Reason.MEMORY if isinstance(error, MemoryError) else reason, value=value)


def main() -> None:
    """Confines itself, decodes one file, ends."""
    job = json.loads(receive())
    set_level(PANIC)
    confine(job["memory_bytes"], job["cpu_seconds"])
    send(Message.READY, b"")
    try:
        Decoding(job).run()
    except RefusedError as refused:
        send(Message.FAILED, json.dumps(refused.answer).encode())
    except MemoryError:
        send(Message.FAILED, json.dumps({"reason": Reason.MEMORY}).encode())


if __name__ == "__main__":
    main()
