"""Witnesses of the log: who they are, and what they answered (C2SP tlog-witness, tlog-cosignature)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from otokura.audit.notes import Checkpoint, valid_name

_ED25519, _MLDSA = 0x04, 0x06
_PUBLIC_BYTES = {_ED25519: 32, _MLDSA: 1312}
_KEY_ID_BYTES = 4
_TIME_BYTES = 8
_DASH = "\N{EM DASH}"


class _Told(BaseModel):
    """One witness as the settings' file has it."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field(pattern=r"^https?://[^\s?#]+$")
    vkey: str


@dataclass(frozen=True)
class Witness:
    """One witness.

    Attributes:
        url: its submission prefix: `add-checkpoint` is beneath it.
        name: its key's name, under which it is reported.
        key_id: the first four bytes of its signatures.
        kind: 4 (Ed25519) or 6 (ML-DSA-44).
        public: its public key.
    """

    url: str
    name: str
    key_id: bytes
    kind: int
    public: bytes

    def good_lines(self, answer: str, checkpoint: Checkpoint) -> list[str]:
        """Of the signature lines it answered with, those by this key over this checkpoint."""
        return [line for line in answer.split("\n") if self._signed(line, checkpoint)]

    def _signed(self, line: str, checkpoint: Checkpoint) -> bool:
        prefix = f"{_DASH} {self.name} "
        if not line.startswith(prefix):
            return False
        try:
            blob = base64.b64decode(line.removeprefix(prefix), validate=True)
            at = int.from_bytes(blob[_KEY_ID_BYTES:][:_TIME_BYTES], "big")
            signature = blob[_KEY_ID_BYTES + _TIME_BYTES :]
            if self.kind == _ED25519:
                text = f"cosignature/v1\ntime {at}\n{checkpoint.body()}"
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
            else:
                message = self._subtree(at, checkpoint)
                MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (binascii.Error, InvalidSignature, ValueError):
            return False
        return blob[:_KEY_ID_BYTES] == self.key_id

    def _subtree(self, at: int, checkpoint: Checkpoint) -> bytes:
        """`cosigned_message`: label, cosigner, time, origin, start 0, end, root."""
        named, origin = self.name.encode(), checkpoint.origin.encode()
        head = b"subtree/v1\n\x00" + bytes([len(named)]) + named + at.to_bytes(8, "big")
        tree = bytes(8) + checkpoint.size.to_bytes(8, "big") + checkpoint.root
        return head + bytes([len(origin)]) + origin + tree


def read_witnesses(path: Path | None, *, development: bool) -> tuple[Witness, ...]:
    """The witnesses of a file: JSON `[{"url": "https://…", "vkey": "…"}, …]`; none without a file.

    Raises:
        ValueError: it holds something else, one witness twice, or one over plain HTTP in production.
    """
    if path is None:
        return ()
    try:
        told = TypeAdapter(list[_Told]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(
            f"{path} is not a list of witnesses, each with url and vkey: {error.error_count()} mistakes"
        ) from None
    found = tuple(_parse(each) for each in told)
    if len({each.name for each in found}) != len(found):
        raise ValueError(f"{path} names a witness twice")
    if not development and any(each.url.startswith("http:") for each in found):
        raise ValueError(f"{path}: a witness is asked over https")
    return found


def _parse(told: _Told) -> Witness:
    name, _, rest = told.vkey.strip().partition("+")
    identifier, _, encoded = rest.partition("+")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    if not valid_name(name) or not blob or _PUBLIC_BYTES.get(blob[0]) != len(blob) - 1:
        raise ValueError(f"the vkey of the witness {name!r} is not that of a witness (type 4 or 6)")
    key_id = hashlib.sha256(name.encode() + b"\n" + blob).digest()[:_KEY_ID_BYTES]
    if identifier != key_id.hex():
        raise ValueError(f"the vkey of the witness {name!r} contradicts itself")
    return Witness(told.url.rstrip("/"), name, key_id, blob[0], blob[1:])


def add_lines(note: str, lines: Sequence[str], witnesses: Sequence[Witness], checkpoint: Checkpoint) -> str:
    """A note with cosignatures under it: one by each witness, the new one in the place of an older."""
    newest: dict[str, str] = {}
    text, _, signatures = note.partition("\n\n")
    for witness in witnesses:
        for line in [*witness.good_lines(signatures, checkpoint), *lines]:
            if line.startswith(f"{_DASH} {witness.name} "):
                newest[witness.name] = line
    ours = [line for line in signatures.splitlines() if line.startswith(f"{_DASH} {checkpoint.origin} ")]
    return "\n".join([text, "", *ours, *(newest[name] for name in sorted(newest)), ""])


def submission(old: int, proof: Sequence[bytes], note: str) -> str:
    """The body of add-checkpoint."""
    return "\n".join([f"old {old}", *(base64.b64encode(each).decode() for each in proof), "", note])


def log_note(note: str, checkpoint: Checkpoint) -> str:
    """A note without its cosignatures: as the log itself signed it."""
    return add_lines(note, (), (), checkpoint)


def describe(witnesses: Sequence[Witness]) -> str:
    """For the log line at start."""
    return json.dumps([witness.name for witness in witnesses], ensure_ascii=False)
