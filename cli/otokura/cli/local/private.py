"""Files that only their owner may read, written whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)


def write_private(path: Path, content: bytes) -> None:
    """Write with mode 0600; who reads at the same time sees the old file or the new one."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def write_private_json(path: Path, value: Any) -> None:
    """`write_private` of a JSON document."""
    write_private(path, json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n")


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The Ed25519 key in a PKCS8 PEM file; made when there is none."""
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        write_private(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} does not hold an Ed25519 key")
    return key


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of its public key (RFC 8032)."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
