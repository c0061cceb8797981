"""Codes of an authenticator app: TOTP (RFC 6238), SHA-1, 30 s, six digits, which every app understands. Pure.

A code is good once: whoever saw it over a shoulder, or took it on a forged page, comes too late.
"""

from __future__ import annotations

import hmac
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.twofactor.totp import TOTP

_DIGITS, _SECONDS, _KEY_BYTES = 6, 30, 20
_LATE, _EARLY = 1, 1
"""Steps by which the clock of a telephone may be off, or its owner slow (RFC 6238 §5.2)."""


def key_of(dek: bytes) -> bytes:
    """The key that the app is given, from the data key that is kept wrapped: 20 bytes (RFC 4226 §4)."""
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"otokura totp v1").derive(dek)


def provisioning_uri(key: bytes, login: str, company: str) -> str:
    """What the app reads from a QR code (`otpauth://`)."""
    return _totp(key).get_provisioning_uri(login, company)


def step_of(key: bytes, code: str, at: datetime, after: int) -> int | None:
    """The step whose code this is; None when it is of none that may be used now.

    Args:
        key: the app's.
        code: what was typed, spaces allowed.
        at: now.
        after: the last step that was used: it and those before are good no more.
    """
    typed = code.replace(" ", "").encode()
    now = int(at.timestamp()) // _SECONDS
    found = None
    # All are compared, whichever matches: time tells nothing.
    for step in range(now - _LATE, now + _EARLY + 1):
        same = hmac.compare_digest(_totp(key).generate(step * _SECONDS), typed)
        if same and step > after:
            found = step
    return found


def _totp(key: bytes) -> TOTP:
    return TOTP(key, _DIGITS, SHA1(), _SECONDS)  # noqa: S303 - HMAC-SHA-1, which apps know
