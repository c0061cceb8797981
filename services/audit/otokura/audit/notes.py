"""Signed checkpoints: C2SP signed-note and tlog-checkpoint, Ed25519.

A checkpoint says: the log of this origin had this many entries, and this root. Whoever holds one can
later prove that the log was rewritten.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from otokura.audit.merkle import HASH_BYTES

_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_DASH = "\N{EM DASH}"
_BODY_LINES = 3


class NoteError(ValueError):
    """A note that is malformed, or not signed by the key that was expected."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """The signed text, its last newline included (C2SP tlog-checkpoint)."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def valid_name(name: str) -> bool:
    """Whether a log or key may have this name: not empty, no spaces, no plus (C2SP signed-note)."""
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)


class Signer:
    """Signs and recognises the checkpoints of one log.

    Args:
        origin: the log's name, a scheme-less URL; also the key's name.
        key: the log's key.
    """

    def __init__(self, origin: str, key: Ed25519PrivateKey) -> None:
        if not valid_name(origin):
            raise NoteError(f"{origin!r} cannot name a log: no spaces, no plus, not empty")
        self.origin = origin
        self._key = key
        self._public: Ed25519PublicKey = key.public_key()
        raw = self._public.public_bytes_raw()
        self._key_id = hashlib.sha256(origin.encode() + b"\n" + _ED25519 + raw).digest()[:_KEY_ID_BYTES]
        self.vkey = f"{origin}+{self._key_id.hex()}+{base64.b64encode(_ED25519 + raw).decode()}"

    def sign(self, size: int, root: bytes) -> str:
        """The checkpoint as a signed note. Ed25519 is deterministic: one tree has one note."""
        body = Checkpoint(self.origin, size, root).body()
        blob = base64.b64encode(self._key_id + self._key.sign(body.encode())).decode()
        return f"{body}\n{_DASH} {self.origin} {blob}\n"

    def open(self, note: str) -> Checkpoint:
        """What a note signed by this key says; NoteError otherwise."""
        body, separator, signatures = note.partition("\n\n")
        if not separator:
            raise NoteError("the note has no signatures")
        body += "\n"
        if not any(self._signed(body, line) for line in signatures.splitlines()):
            raise NoteError(f"the note is not signed by {self.origin}")
        return _parse_body(body)

    def _signed(self, body: str, line: str) -> bool:
        prefix = f"{_DASH} {self.origin} "
        if not line.startswith(prefix):
            return False
        try:
            blob = base64.b64decode(line.removeprefix(prefix), validate=True)
            self._public.verify(blob[_KEY_ID_BYTES:], body.encode())
        except (binascii.Error, InvalidSignature):
            return False
        return blob[:_KEY_ID_BYTES] == self._key_id


def _parse_body(body: str) -> Checkpoint:
    lines = body.splitlines()
    if len(lines) < _BODY_LINES or not lines[1].isdecimal():
        raise NoteError("the note is not a checkpoint")
    root = base64.b64decode(lines[2], validate=True)
    if len(root) != HASH_BYTES:
        raise NoteError("the checkpoint's root is not a SHA-256 hash")
    return Checkpoint(lines[0], int(lines[1]), root)
