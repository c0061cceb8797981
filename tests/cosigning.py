"""A witness's hand for tests: cosigns whatever it is given, as C2SP tlog-cosignature says."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey


@dataclass(frozen=True)
class Hand:
    """Written from the specification, apart from the code that is tested."""

    name: str
    key: Ed25519PrivateKey | MLDSA44PrivateKey

    @property
    def public(self) -> bytes:
        kind = b"\x04" if isinstance(self.key, Ed25519PrivateKey) else b"\x06"
        return kind + self.key.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(self.public).decode()}"

    def line(self, note: str, at: int) -> str:
        """The signature line for a note's text, at a time in seconds since 1970."""
        body = note.partition("\n\n")[0] + "\n"
        if isinstance(self.key, Ed25519PrivateKey):
            signature = self.key.sign(f"cosignature/v1\ntime {at}\n{body}".encode())
        else:
            origin, size, root = body.split("\n")[:3]
            named, of = self.name.encode(), origin.encode()
            message = b"subtree/v1\n\0" + bytes([len(named)]) + named + at.to_bytes(8, "big")
            message += bytes([len(of)]) + of + bytes(8) + int(size).to_bytes(8, "big")
            signature = self.key.sign(message + base64.b64decode(root))
        blob = base64.b64encode(self.key_id + at.to_bytes(8, "big") + signature).decode()
        return f"\N{EM DASH} {self.name} {blob}\n"


def hand(name: str = "w.example/1") -> Hand:
    """A witness that signs with Ed25519."""
    return Hand(name, Ed25519PrivateKey.generate())
