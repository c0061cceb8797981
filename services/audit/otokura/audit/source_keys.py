"""Whose signatures the log believes: one Ed25519 public key a service."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from otokura.shared.audit import verify_signature
from otokura.shared.audit_entries import Signed


class SourceKeys:
    """The public keys of the services that write entries."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._keys = dict(keys)

    @classmethod
    def read(cls, path: Path) -> SourceKeys:
        """Reads the keys file: JSON, by service, base64 of the 32 bytes of its public key.

        Raises:
            ValueError: the file is something else.
        """
        decoded: object = json.loads(path.read_text())
        if not isinstance(decoded, dict) or not decoded:
            raise ValueError(f"{path} must hold a JSON object: service to base64 of its public key")
        encoded = cast("dict[str, object]", decoded)
        return cls({service: _public_key(text) for service, text in encoded.items()})

    def knows(self, service: str) -> bool:
        """Whether a service of this name writes entries."""
        return service in self._keys

    def objection(self, event: Signed, signed: bytes | None = None) -> str | None:
        """Why an event is not believed; None when the service that its source names signed it.

        Args:
            event: the event.
            signed: `canonical` of it, where that is known already.
        """
        service, separator, instance = event.source.partition("/")
        key = self._keys.get(service)
        if key is None or not separator or not instance:
            return "the source names no service whose key is known"
        if not verify_signature(event, key, signed):
            return "the signature is not that of the service it names"
        return None


def _public_key(text: object) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(str(text), validate=True))
