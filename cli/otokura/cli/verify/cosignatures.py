"""Cosignatures of witnesses under a checkpoint (C2SP tlog-cosignature), and the quorum that is asked for.

A cosignature says: at this time, this was the largest consistent tree of this log that I had seen. Who
insists on several witnesses cannot be shown another log than everybody else, unless they all lie together.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from otokura.cli.verify.findings import Code, Cosignature, VerificationError
from otokura.cli.verify.notes import (
    Checkpoint,
    VerifierKey,
    is_signed,
    open_checkpoint,
    read_vkey,
    split_note,
)
from otokura.cli.verify.places import Place, fetch_note

COSIGNED = "cosigned"
"""Where a log serves the newest checkpoint that a quorum cosigned."""
COSIGNED_ED25519 = 0x04
COSIGNED_MLDSA = 0x06
_PUBLIC_BYTES = {COSIGNED_ED25519: 32, COSIGNED_MLDSA: 1312}
_SIGNATURE_BYTES = {COSIGNED_ED25519: 64, COSIGNED_MLDSA: 2420}
_TIME_BYTES = 8
_AHEAD_SECONDS = 300
"""How far a witness's clock may be ahead of ours; beyond that its word of the time is worth nothing."""
_WHERE = "cosignature"
_TEXT_BYTES = 255


@dataclass(frozen=True)
class Witnesses:
    """Whom a verifier believes, and how many of them must have cosigned.

    Attributes:
        keys: their public keys, types 4 (Ed25519) and 6 (ML-DSA-44). Two keys of one name are one witness.
        quorum: how many witnesses, counted by name.
    """

    keys: tuple[VerifierKey, ...]
    quorum: int

    @classmethod
    def parse(cls, vkeys: Sequence[str], quorum: int | None = None) -> Witnesses:
        """From vkey strings; all of them must have cosigned unless `quorum` says fewer.

        Raises:
            VerificationError: a string is no witness's key, or there are fewer witnesses than the quorum.
        """
        keys = tuple(parse_cosigner(each) for each in vkeys)
        count = len({key.name for key in keys})
        wanted = count if quorum is None else quorum
        if not 0 < wanted <= count:
            raise VerificationError(Code.WRONG_KEY, "quorum", f"{wanted} of {count} witnesses is no quorum")
        return cls(keys, wanted)

    def require(self, checkpoint: Checkpoint, now: float | None = None) -> tuple[Cosignature, ...]:
        """Who cosigned it, the newest word of each.

        Args:
            checkpoint: opened already: its log signed it.
            now: seconds since 1970; the clock's when not given.

        Raises:
            VerificationError: fewer than the quorum did, or a cosignature by one of them is not theirs.
        """
        found = read_cosignatures(checkpoint, self.keys, time.time() if now is None else now)
        if len(found) < self.quorum:
            names = ", ".join(each.name for each in found) or "nobody"
            detail = f"cosigned by {names}: {self.quorum} of {len({key.name for key in self.keys})} wanted"
            raise VerificationError(Code.NOT_WITNESSED, f"checkpoint of {checkpoint.size}", detail)
        return found


def find_witnessed(
    place: Place, keys: Sequence[VerifierKey], newest: Checkpoint, witnesses: Witnesses
) -> tuple[Checkpoint, tuple[Cosignature, ...]]:
    """A log's newest checkpoint that enough witnesses cosigned, and their word.

    That is `newest`, or for a log that moves on faster than its witnesses answer the one it serves as
    `cosigned`, which may be larger than `newest`, as it is fetched later: whoever relies on it must still see
    that both are of one tree.

    Raises:
        VerificationError: neither has enough.
    """
    try:
        return newest, witnesses.require(newest)
    except VerificationError as error:
        note = fetch_note(place, COSIGNED) if error.finding.code is Code.NOT_WITNESSED else None
        if note is None:
            raise
    older = open_checkpoint(note, keys)
    return older, witnesses.require(older)


def parse_cosigner(text: str) -> VerifierKey:
    """Reads a witness's vkey: type 4 with 32 bytes, or type 6 with 1,312."""
    key = read_vkey(text)
    if _PUBLIC_BYTES.get(key.kind) != len(key.public):
        raise VerificationError(Code.WRONG_KEY, "vkey", "not the key of a witness (type 4 or 6)")
    return key


def read_cosignatures(
    checkpoint: Checkpoint, cosigners: Sequence[VerifierKey], now: float
) -> tuple[Cosignature, ...]:
    """The verified cosignatures of these witnesses, one for each name; others' are ignored.

    Raises:
        VerificationError: one that claims to be by one of them is not, or is from the future.
    """
    body, signatures = split_note(checkpoint.note)
    newest: dict[str, Cosignature] = {}
    for line in signatures:
        for key in cosigners:
            if line.is_by(key):
                at = _verify(key, line.signature, body, checkpoint, now)
                newest[key.name] = Cosignature(key.name, max(at, newest.get(key.name, Cosignature("", 0)).at))
    return tuple(newest[name] for name in sorted(newest))


def _verify(key: VerifierKey, signature: bytes, body: str, checkpoint: Checkpoint, now: float) -> int:
    """When the cosignature was made."""
    if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES[key.kind]:
        raise VerificationError(Code.BAD_SIGNATURE, _WHERE, f"{key.name}: not a timestamped signature")
    at = int.from_bytes(signature[:_TIME_BYTES], "big")
    if at > now + _AHEAD_SECONDS:
        raise VerificationError(Code.BAD_SIGNATURE, _WHERE, f"{key.name}: made in the future ({at})")
    if key.kind == COSIGNED_ED25519:
        good = is_signed(key, signature[_TIME_BYTES:], ed25519_message(at, body))
    else:
        good = _is_signed_mldsa(key, signature[_TIME_BYTES:], mldsa_message(key.name, at, checkpoint))
    if not good:
        raise VerificationError(Code.BAD_SIGNATURE, _WHERE, f"{key.name} did not cosign this tree")
    return at


def _is_signed_mldsa(key: VerifierKey, signature: bytes, message: bytes) -> bool:
    try:
        MLDSA44PublicKey.from_public_bytes(key.public).verify(signature, message)
    except UnsupportedAlgorithm as error:
        detail = f"{key.name}: this installation of cryptography has no ML-DSA"
        raise VerificationError(Code.WRONG_KEY, _WHERE, detail) from error
    except (InvalidSignature, ValueError):
        return False
    return True


def ed25519_message(at: int, body: str) -> bytes:
    """What a cosignature of type 4 signs: two lines, and the checkpoint's text with its last newline."""
    return f"cosignature/v1\ntime {at}\n{body}".encode()


def mldsa_message(name: str, at: int, checkpoint: Checkpoint) -> bytes:
    """What a cosignature of type 6 signs: a `cosigned_message` of a whole tree (start 0)."""
    return b"".join(
        (
            b"subtree/v1\n\x00",
            _vector(name),
            at.to_bytes(8, "big"),
            _vector(checkpoint.origin),
            bytes(8),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def _vector(text: str) -> bytes:
    """`opaque<1..2^8-1>`: a length byte and the text."""
    data = text.encode()
    if not 0 < len(data) <= _TEXT_BYTES:
        raise VerificationError(Code.MALFORMED, _WHERE, "a name longer than 255 bytes cannot be cosigned")
    return bytes([len(data)]) + data
