"""ITU-T G.711: the telephone's 8-bit samples, expanded to 16 bits by table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


def _mulaw(code: int) -> int:
    """One µ-law code, its bits inverted on the wire: sign, 3 bits exponent, 4 bits mantissa, bias 132."""
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return -magnitude if code & 0x80 else magnitude


def _alaw(code: int) -> int:
    """One A-law code, every other bit inverted on the wire; the sign bit means positive."""
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, (code & 0x0F) << 4
    magnitude = mantissa + 0x008 if exponent == 0 else mantissa + 0x108 << exponent - 1
    return magnitude if code & 0x80 else -magnitude


_MULAW: Samples = np.array([_mulaw(code) for code in range(256)], np.int16)
_ALAW: Samples = np.array([_alaw(code) for code in range(256)], np.int16)


def decode_mulaw(data: bytes | bytearray | memoryview) -> Samples:
    """µ-law bytes as int16 samples, one for each byte."""
    return _MULAW[np.frombuffer(data, np.uint8)]


def decode_alaw(data: bytes | bytearray | memoryview) -> Samples:
    """A-law bytes as int16 samples, one for each byte."""
    return _ALAW[np.frombuffer(data, np.uint8)]
