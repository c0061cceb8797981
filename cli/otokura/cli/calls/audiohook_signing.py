"""Signing an upgrade request as Genesys AudioHook does: RFC 9421 with HMAC-SHA256."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import b64encode
from urllib.parse import urlsplit

_COVERED = ("audiohook-organization-id", "audiohook-session-id", "audiohook-correlation-id", "x-api-key")
_VALID_SECONDS = 10


def signed(url: str, headers: dict[str, str], key: bytes) -> dict[str, str]:
    """The headers with the two of a signature.

    Args:
        url: where the request goes, `ws…`.
        headers: those that are signed among them, and `X-API-Key`, which names the key.
        key: the client secret, decoded.
    """
    where = urlsplit(url)
    values = {name.lower(): value for name, value in headers.items()}
    target = where.path + (f"?{where.query}" if where.query else "")
    lines = [f'"@request-target": {target}', f'"@authority": {where.netloc}']
    lines += [f'"{name}": {values[name]}' for name in _COVERED]
    covered = " ".join(f'"{name}"' for name in ("@request-target", "@authority", *_COVERED))
    created = int(time.time())
    parameters = (
        f'({covered});keyid="{values["x-api-key"]}";nonce="{secrets.token_urlsafe(24)}"'
        f';alg="hmac-sha256";created={created};expires={created + _VALID_SECONDS}'
    )
    base = "\n".join([*lines, f'"@signature-params": {parameters}'])
    value = b64encode(hmac.new(key, base.encode(), hashlib.sha256).digest()).decode()
    return {**headers, "Signature-Input": f"sig1={parameters}", "Signature": f"sig1=:{value}:"}
