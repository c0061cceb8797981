"""Standard Webhooks, symmetric form: secrets and signatures.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from uuid import UUID

SECRET_BYTES = 32
"""The specification asks for 24 to 64."""
_PREFIX = "whsec_"


def new_secret() -> bytes:
    """A fresh signing secret."""
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """The secret as the vendor gets it, once: `whsec_` and base64."""
    return _PREFIX + base64.b64encode(secret).decode()


def signed_headers(
    signing: Sequence[bytes], delivery_id: UUID, timestamp: int, body: bytes
) -> dict[str, str]:
    """The three headers of an attempt.

    Args:
        signing: every secret that signs now; each gives a signature, so that a receiver may know any one.
        delivery_id: the same in every attempt.
        timestamp: of this attempt, Unix time in seconds.
        body: the bytes that are sent.
    """
    content = f"{delivery_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": str(delivery_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(secret, content) for secret in signing),
    }


def _signature(secret: bytes, content: bytes) -> str:
    digest = hmac.new(secret, content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
