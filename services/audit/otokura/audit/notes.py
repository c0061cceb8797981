"""Signed checkpoints: C2SP signed-note and tlog-checkpoint, Ed25519.

A checkpoint says: the log of this origin had this many entries, and this root. Whoever holds one can
later prove that the log was rewritten.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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


class VerifierKey:
    """The public half of a key that signs, or signed, the checkpoints of one log.

    Args:
        name: the key's name: the log's origin.
        public: the key.
    """

    def __init__(self, name: str, public: Ed25519PublicKey) -> None:
        if not valid_name(name):
            raise NoteError(f"{name!r} cannot name a log: no spaces, no plus, not empty")
        raw = public.public_bytes_raw()
        self.name = name
        self._public = public
        self._key_id = hashlib.sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:_KEY_ID_BYTES]
        self.vkey = f"{name}+{self._key_id.hex()}+{base64.b64encode(_ED25519 + raw).decode()}"

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Reads `name+id+base64(0x01 ‖ key)`; NoteError unless its parts belong together."""
        name, _, rest = vkey.partition("+")
        try:
            blob = base64.b64decode(rest.partition("+")[2], validate=True)
            key = cls(name, Ed25519PublicKey.from_public_bytes(blob[1:]))
        except ValueError as error:
            raise NoteError(f"{vkey!r} is not a vkey of an Ed25519 key: name+id+base64") from error
        if key.vkey != vkey:
            raise NoteError(f"{vkey!r} contradicts itself; it should be {key.vkey}")
        return key

    def line(self, signature: bytes) -> str:
        """The line of a note that holds a signature by this key."""
        return f"{_DASH} {self.name} {base64.b64encode(self._key_id + signature).decode()}\n"

    def signed(self, body: str, line: str) -> bool:
        """Whether the line is this key's signature of the text."""
        prefix = f"{_DASH} {self.name} "
        if not line.startswith(prefix):
            return False
        try:
            blob = base64.b64decode(line.removeprefix(prefix), validate=True)
            self._public.verify(blob[_KEY_ID_BYTES:], body.encode())
        except (binascii.Error, InvalidSignature):
            return False
        return blob[:_KEY_ID_BYTES] == self._key_id


class Signer:
    """Signs and recognises the checkpoints of one log.

    Args:
        origin: the log's name, a scheme-less URL; also the name of its keys.
        key: the log's key.
        second: signs beside it, while readers change from one key to the other.
        others: keys whose checkpoints are the log's too: former ones, and one that is to come. Those of
            other logs are of no use, and no harm.
    """

    def __init__(
        self,
        origin: str,
        key: Ed25519PrivateKey,
        *,
        second: Ed25519PrivateKey | None = None,
        others: Sequence[VerifierKey] = (),
    ) -> None:
        self.origin = origin
        keys = [key] if second is None else [key, second]
        self._signing = [(VerifierKey(origin, each.public_key()), each) for each in keys]
        self._known = [public for public, _ in self._signing]
        self._known += [other for other in others if other.name == origin]
        self.vkey = self._known[0].vkey

    def sign(self, size: int, root: bytes) -> str:
        """The checkpoint as a signed note. Ed25519 is deterministic: one tree has one note."""
        body = Checkpoint(self.origin, size, root).body()
        lines = [public.line(private.sign(body.encode())) for public, private in self._signing]
        return f"{body}\n{''.join(lines)}"

    def open(self, note: str) -> Checkpoint:
        """What a note says that one of the log's keys signed; NoteError otherwise."""
        body, separator, signatures = note.partition("\n\n")
        if not separator:
            raise NoteError("the note has no signatures")
        body += "\n"
        lines = signatures.splitlines()
        if not any(key.signed(body, line) for key in self._known for line in lines):
            raise NoteError(f"the note is not signed by {self.origin}")
        return _parse_body(body)

    def signed(self, note: bytes) -> bool:
        """Whether this is a checkpoint that one of the log's keys signed."""
        try:
            self.open(note.decode())
        except (NoteError, ValueError):
            return False
        return True


def read_verifier_keys(path: Path) -> list[VerifierKey]:
    """Reads a file of vkeys, one a line; empty lines and those that begin with # say nothing.

    Raises:
        NoteError: a line is something else.
    """
    lines = (line.strip() for line in path.read_text().splitlines())
    return [VerifierKey.parse(line) for line in lines if line and not line.startswith("#")]


def _parse_body(body: str) -> Checkpoint:
    lines = body.splitlines()
    if len(lines) < _BODY_LINES or not lines[1].isdecimal():
        raise NoteError("the note is not a checkpoint")
    root = base64.b64decode(lines[2], validate=True)
    if len(root) != HASH_BYTES:
        raise NoteError("the checkpoint's root is not a SHA-256 hash")
    return Checkpoint(lines[0], int(lines[1]), root)
