"""Reading signed checkpoints with public keys alone (C2SP signed-note, tlog-checkpoint).

Everything here may come from a server that lies: what is not exactly a signed checkpoint ends in a
`VerificationError`, in time and memory that grow with the note, which is bounded.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from otokura.cli.verify.findings import Code, VerificationError

MAX_NOTE_CHARACTERS = 1 << 17
"""Room for more than sixteen signatures of the largest kind, which signed-note wants accepted."""
ED25519 = 0x01

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_HASH_BYTES = 32
_ID_BYTES = 4
_SIGNATURE_BYTES = 64
_DASH = "\N{EM DASH} "
_WHERE = "checkpoint"


@dataclass(frozen=True)
class VerifierKey:
    """A public key with its name, as the vkey string `name+id+base64(kind ‖ key)` gives it."""

    name: str
    key_id: bytes
    public: bytes
    kind: int = ED25519

    def __str__(self) -> str:
        encoded = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself, and the note in which it says so."""

    origin: str
    size: int
    root: bytes
    note: str


@dataclass(frozen=True)
class SignatureLine:
    """One signature under a note: who claims to have made it, with which key, and its bytes."""

    name: str
    key_id: bytes
    signature: bytes

    def is_by(self, key: VerifierKey) -> bool:
        """Whether it claims to be by that key."""
        return (self.name, self.key_id) == (key.name, key.key_id)


def decode_base64(text: str, length: int, code: Code, where: str) -> bytes:
    """Strict base64 of exactly `length` bytes; VerificationError otherwise."""
    data = _decode(text, code, where)
    if len(data) != length:
        raise VerificationError(code, where, f"expected {length} bytes in base64, got {len(data)}")
    return data


def _decode(text: str, code: Code, where: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationError(code, where, "not base64") from error
    if base64.b64encode(data).decode() != text:
        raise VerificationError(code, where, "not canonical base64")
    return data


def key_id(name: str, public: bytes, kind: int = ED25519) -> bytes:
    """The four bytes that name a key in a note: SHA-256(name ‖ 0x0A ‖ kind ‖ key)[:4]."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:_ID_BYTES]


def make_vkey(name: str, public: bytes) -> str:
    """The vkey string of a log's Ed25519 public key of 32 bytes."""
    return str(VerifierKey(name, key_id(name, public), public))


def parse_vkey(text: str) -> VerifierKey:
    """Reads a log's vkey string (Ed25519, type 1); its id must belong to its key."""
    key = read_vkey(text)
    if key.kind != ED25519 or len(key.public) != _HASH_BYTES:
        raise VerificationError(Code.WRONG_KEY, "vkey", "logs sign with Ed25519 (type 1) of 32 bytes")
    return key


def parse_vkeys(given: str | Sequence[str]) -> tuple[VerifierKey, ...]:
    """Reads one vkey, or all under which a log has signed: its key may have been replaced."""
    return tuple(parse_vkey(each) for each in ([given] if isinstance(given, str) else given))


def read_vkey(text: str) -> VerifierKey:
    """Reads a vkey of any type; its id must belong to its key (C2SP signed-note)."""
    name, _, rest = text.strip().partition("+")
    identifier, _, encoded = rest.partition("+")
    blob = _decode(encoded, Code.WRONG_KEY, "vkey")
    if not is_name(name) or not blob:
        raise VerificationError(Code.WRONG_KEY, "vkey", "not name+id+base64")
    expected = key_id(name, blob[1:], blob[0])
    if identifier != expected.hex():
        raise VerificationError(
            Code.WRONG_KEY, "vkey", f"the id should be {expected.hex()}, not {identifier!r}"
        )
    return VerifierKey(name, expected, blob[1:], blob[0])


def is_name(name: str) -> bool:
    """Whether a key may have this name: not empty, no spaces, no plus (C2SP signed-note)."""
    return bool(name) and "+" not in name and name.isprintable() and not any(map(str.isspace, name))


def split_note(note: str) -> tuple[str, list[SignatureLine]]:
    """A note's text, its last newline included, and the signatures under it, none of them verified."""
    if len(note) > MAX_NOTE_CHARACTERS:
        raise VerificationError(
            Code.MALFORMED, _WHERE, f"longer than the {MAX_NOTE_CHARACTERS} characters that are read"
        )
    body, separator, signatures = note.partition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise VerificationError(Code.MALFORMED, _WHERE, "not a signed note: text, blank line, signatures")
    try:
        note.encode()
    except UnicodeEncodeError as error:
        raise VerificationError(Code.MALFORMED, _WHERE, "not UTF-8") from error
    if _CONTROL.search(note):
        raise VerificationError(Code.MALFORMED, _WHERE, "control characters")
    return body + "\n", parse_signatures(signatures)


def parse_signatures(text: str) -> list[SignatureLine]:
    """Signature lines, as they stand under a note and as a witness answers with them."""
    return [_parse_line(line) for line in text.removesuffix("\n").split("\n")]


def _parse_line(line: str) -> SignatureLine:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not is_name(name):
        raise VerificationError(Code.MALFORMED, _WHERE, "a signature line is malformed")
    blob = _decode(encoded, Code.MALFORMED, _WHERE)
    if len(blob) <= _ID_BYTES:
        raise VerificationError(Code.MALFORMED, _WHERE, "a signature line holds no signature")
    return SignatureLine(name, blob[:_ID_BYTES], blob[_ID_BYTES:])


def open_checkpoint(note: str, keys: VerifierKey | Sequence[VerifierKey]) -> Checkpoint:
    """The checkpoint in a note, once the signature by its log's key is verified.

    Args:
        note: as it was served or kept.
        keys: the log's key; several when it was replaced, or when the note may be of one of several logs.

    Raises:
        VerificationError: it is not exactly that.
    """
    known = (keys,) if isinstance(keys, VerifierKey) else tuple(keys)
    body, signatures = split_note(note)
    names = _verify_signatures(body, signatures, known)
    lines = body.split("\n")
    if len(lines) < 4 or "" in lines[:-1] or not _DECIMAL.fullmatch(lines[1]):  # noqa: PLR2004 - three and the end
        raise VerificationError(Code.MALFORMED, _WHERE, "the text is not origin, size and root")
    if lines[0] not in names:
        expected = " or ".join(sorted(names))
        raise VerificationError(Code.WRONG_ORIGIN, _WHERE, f"expected {expected!r}, got {lines[0]!r}")
    root = decode_base64(lines[2], _HASH_BYTES, Code.MALFORMED, _WHERE)
    return Checkpoint(lines[0], int(lines[1]), root, note)


def _verify_signatures(
    body: str, signatures: Sequence[SignatureLine], known: Sequence[VerifierKey]
) -> set[str]:
    """Names of the keys that signed: at least one, and every signature that claims to be by one is good."""
    names: set[str] = set()
    for line in signatures:
        for key in known:
            if not line.is_by(key):
                continue
            if not is_signed(key, line.signature, body.encode()):
                raise VerificationError(Code.BAD_SIGNATURE, _WHERE, f"{key.name} did not sign this text")
            names.add(key.name)
    if not names:
        wanted = ", ".join(f"{key.name} ({key.key_id.hex()})" for key in known)
        raise VerificationError(Code.WRONG_KEY, _WHERE, f"no signature by {wanted or 'a key that was given'}")
    return names


def is_signed(key: VerifierKey, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 key signed a message."""
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return len(signature) == _SIGNATURE_BYTES
