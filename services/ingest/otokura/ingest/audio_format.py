"""Audio as it comes over a wire: one coding, one rate, interleaved channels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from otokura.ingest.errors import MalformedAudio
from otokura.shared.media.g711 import decode_alaw, decode_mulaw

RATES = (8000, 12000, 16000, 24000, 32000, 44100, 48000, 96000, 192000)
"""In Hz: what telephones use, and what Asterisk can be told to send."""
PCM_BYTES = 2
"""A decoded sample is signed 16-bit little-endian, whatever came over the wire."""


class Encoding(StrEnum):
    """How one sample is coded (G.711 for the last two)."""

    PCM_S16LE = "pcm_s16le"
    MULAW = "mulaw"
    ALAW = "alaw"


_SILENCE = {Encoding.PCM_S16LE: b"\0\0", Encoding.MULAW: b"\xff", Encoding.ALAW: b"\xd5"}
"""The sample that means no sound (ITU-T G.711: the positive zero)."""


@dataclass(frozen=True)
class StreamFormat:
    """What a connection's samples are. A frame is one sample of every channel."""

    encoding: Encoding
    rate: int
    channels: int

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of one channel."""
        return len(self.silent_sample)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.sample_bytes

    @property
    def silent_sample(self) -> bytes:
        """One sample of silence."""
        return _SILENCE[self.encoding]

    def silence(self, frames: int) -> bytes:
        """So many frames of silence, in all channels."""
        return self.silent_sample * (frames * self.channels)

    def check(self, data: bytes) -> None:
        """Whether the bytes are whole frames.

        Raises:
            MalformedAudio: they are not, or there are none.
        """
        if not data or len(data) % self.frame_bytes:
            raise MalformedAudio(
                f"A message of {len(data)} bytes is not a whole number of {self.frame_bytes}-byte frames"
                f" ({self.channels} channel(s) of {self.encoding}). Send whole frames."
            )

    def decode(self, data: bytes) -> bytes:
        """Wire bytes to interleaved s16le; G.711 decoding is a table and loses nothing.

        Raises:
            MalformedAudio: the bytes end inside a frame.
        """
        self.check(data)
        if self.encoding is Encoding.PCM_S16LE:
            return data
        decode = decode_mulaw if self.encoding is Encoding.MULAW else decode_alaw
        return decode(data).astype("<i2", copy=False).tobytes()
