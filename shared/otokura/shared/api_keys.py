"""API keys for vendors: `otk_<client id>_<secret>`.

The client's id stands in the key, so that the key is found by index and compared once; the secret is
256 random bits, so that a plain SHA-256 of it is safe to store and to send to other services.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from uuid import UUID

PREFIX = "otk_"
_SECRET_BYTES = 32
_FORM = re.compile(r"otk_([0-9a-f]{32})_[A-Za-z0-9_-]{43}", re.ASCII)


def new_api_key(client_id: UUID) -> str:
    """A new key of the client. Show it once; keep `hash_api_key` of it."""
    return f"{PREFIX}{client_id.hex}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def parse(key: str) -> UUID | None:
    """The client whose key this claims to be; None if it has not the form of a key."""
    match = _FORM.fullmatch(key)
    return UUID(hex=match[1]) if match else None


def hash_api_key(key: str) -> str:
    """SHA-256 of the whole key, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def matches(key: str, sha256_hex: str) -> bool:
    """Whether the key is the one with this hash, in time that does not depend on where they differ."""
    return hmac.compare_digest(hash_api_key(key).encode(), sha256_hex.encode())
