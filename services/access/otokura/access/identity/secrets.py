"""Client secrets: 256 random bits, shown once, kept as SHA-256.

A slow hash protects what people choose; what is random already needs none (NIST SP 800-63B §3.1.2.2).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

_SECRET_BYTES = 32
_NOBODY = hashlib.sha256(secrets.token_bytes(_SECRET_BYTES)).hexdigest()


def new_secret() -> str:
    """A new secret, 43 characters of base64url."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hash_secret(secret: str) -> str:
    """SHA-256, lower-case hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def secret_matches(secret: str, expected_sha256: str | None) -> bool:
    """Whether the secret has this hash, in a time that tells nothing; None (no client) matches nothing."""
    same = hmac.compare_digest(hash_secret(secret), expected_sha256 or _NOBODY)
    return same and expected_sha256 is not None
