"""Reading signed checkpoints with a public key alone (C2SP signed-note, tlog-checkpoint)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from otokura.cli.verify.findings import Code, VerificationError

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_HASH_BYTES = 32
_ID_BYTES = 4
_SIGNATURE_BYTES = 64
_DASH = "\N{EM DASH} "
_WHERE = "checkpoint"


@dataclass(frozen=True)
class VerifierKey:
    """A log's public key with its name, as the vkey string `name+id+base64(0x01 ‖ key)` gives it.

    Attributes:
        also: other keys of the same log: a former one, or one that is to come. Any of them will do.
    """

    name: str
    key_id: bytes
    public: bytes
    also: tuple[VerifierKey, ...] = ()

    def __str__(self) -> str:
        encoded = base64.b64encode(b"\x01" + self.public).decode()
        return "\n".join([f"{self.name}+{self.key_id.hex()}+{encoded}", *map(str, self.also)])


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself, and the note in which it says so."""

    origin: str
    size: int
    root: bytes
    note: str


def decode_base64(text: str, length: int, code: Code, where: str) -> bytes:
    """Strict base64 of exactly `length` bytes; VerificationError otherwise."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationError(code, where, "not base64") from error
    if len(data) != length or base64.b64encode(data).decode() != text:
        raise VerificationError(code, where, f"expected {length} bytes in canonical base64, got {len(data)}")
    return data


def key_id(name: str, public: bytes) -> bytes:
    """The four bytes that name a key in a note: SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key)[:4]."""
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:_ID_BYTES]


def make_vkey(name: str, public: bytes) -> str:
    """The vkey string of an Ed25519 public key of 32 bytes."""
    return str(VerifierKey(name, key_id(name, public), public))


def parse_vkey(text: str) -> VerifierKey:
    """Reads a vkey string, or several of one log, a line each; the id of each must belong to its key."""
    keys = [_parse_vkey(line) for line in text.split()] or [_parse_vkey("")]
    for key in keys:
        if key.name != keys[0].name:
            detail = f"keys of different logs: {keys[0].name} and {key.name}"
            raise VerificationError(Code.WRONG_KEY, "vkey", detail)
    return replace(keys[0], also=tuple(keys[1:]))


def _parse_vkey(text: str) -> VerifierKey:
    name, _, rest = text.partition("+")
    identifier, _, encoded = rest.partition("+")
    blob = decode_base64(encoded, _HASH_BYTES + 1, Code.WRONG_KEY, "vkey")
    if blob[:1] != b"\x01":
        raise VerificationError(Code.WRONG_KEY, "vkey", "only Ed25519 keys (type 1) are known")
    expected = key_id(name, blob[1:])
    if not name or identifier != expected.hex():
        raise VerificationError(
            Code.WRONG_KEY, "vkey", f"the id should be {expected.hex()}, not {identifier!r}"
        )
    return VerifierKey(name, expected, blob[1:])


def open_checkpoint(note: str, key: VerifierKey) -> Checkpoint:
    """The checkpoint in a note, once its signature by `key` is verified."""
    body, separator, signatures = note.partition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise VerificationError(Code.MALFORMED, _WHERE, "not a signed note: text, blank line, signatures")
    body += "\n"
    _verify_signatures(body, signatures, key)
    lines = body.split("\n")
    if len(lines) < 4 or "" in lines[:-1] or not _DECIMAL.fullmatch(lines[1]):  # noqa: PLR2004 - three and the end
        raise VerificationError(Code.MALFORMED, _WHERE, "the text is not origin, size and root")
    if lines[0] != key.name:
        raise VerificationError(Code.WRONG_ORIGIN, _WHERE, f"expected {key.name!r}, got {lines[0]!r}")
    root = decode_base64(lines[2], _HASH_BYTES, Code.MALFORMED, _WHERE)
    return Checkpoint(lines[0], int(lines[1]), root, note)


def _verify_signatures(body: str, signatures: str, key: VerifierKey) -> None:
    """At least one signature is by `key` or one of `key.also`; every one that claims to be is good."""
    by_id = {each.key_id: each for each in (*key.also, key)}
    found = False
    for line in signatures.removesuffix("\n").split("\n"):
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not encoded:
            raise VerificationError(Code.MALFORMED, _WHERE, "a signature line is malformed")
        claimed = by_id.get(_key_id_of(encoded))
        if name != key.name or claimed is None:
            continue
        blob = decode_base64(encoded, _ID_BYTES + _SIGNATURE_BYTES, Code.BAD_SIGNATURE, _WHERE)
        try:
            Ed25519PublicKey.from_public_bytes(claimed.public).verify(blob[_ID_BYTES:], body.encode())
        except InvalidSignature as error:
            raise VerificationError(
                Code.BAD_SIGNATURE, _WHERE, f"{key.name} did not sign this text"
            ) from error
        found = True
    if not found:
        raise VerificationError(Code.WRONG_KEY, _WHERE, f"no signature by {key.name} ({key.key_id.hex()})")


def _key_id_of(encoded: str) -> bytes:
    """The id of the key that a signature claims; signatures of witnesses and other keys are ignored."""
    try:
        return base64.b64decode(encoded)[:_ID_BYTES]
    except binascii.Error:
        return b""
