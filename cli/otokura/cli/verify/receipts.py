"""Verifies a receipt: one entry, its place in the log, and who wrote it. Offline, with public keys alone."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from otokura.cli.verify.canonical import canonical_json
from otokura.cli.verify.cosignatures import Witnesses
from otokura.cli.verify.findings import Code, Cosignature, VerificationError
from otokura.cli.verify.leaves import SALT_BYTES, Leaf, commit, parse_leaf
from otokura.cli.verify.merkle import hash_leaf, inclusion_root
from otokura.cli.verify.notes import (
    MAX_NOTE_CHARACTERS,
    Checkpoint,
    decode_base64,
    open_checkpoint,
    parse_vkeys,
)

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_HASH_BYTES = 32
_MAX_PATH = 63
_MAX_CHARACTERS = 2 * MAX_NOTE_CHARACTERS


@dataclass(frozen=True)
class Proof:
    """A `c2sp.org/tlog-proof@v1`, taken apart."""

    index: int
    path: list[bytes]
    note: str


@dataclass(frozen=True)
class Verified:
    """What a receipt proves.

    Attributes:
        index: the entry's place in the log.
        leaf: what the log holds about it.
        entry: the entry itself; None when its detail was deleted and only the leaf remains.
        checkpoint: the signed tree that holds it.
        cosigned: the witnesses who had seen that tree, of those that were asked for.
    """

    index: int
    leaf: Leaf
    entry: Mapping[str, Any] | None
    checkpoint: Checkpoint
    cosigned: tuple[Cosignature, ...] = ()


def parse_proof(text: str) -> Proof:
    """Reads a proof of inclusion (C2SP tlog-proof)."""
    if len(text) > _MAX_CHARACTERS:
        raise VerificationError(Code.MALFORMED, "proof", f"longer than {_MAX_CHARACTERS} characters")
    head, separator, note = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines[0] != PROOF_HEADER:
        raise VerificationError(Code.MALFORMED, "proof", f"does not start with {PROOF_HEADER}")
    rest = lines[2:] if len(lines) > 1 and lines[1].startswith("extra ") else lines[1:]
    match = _INDEX.fullmatch(rest[0]) if rest else None
    if match is None or len(rest) - 1 > _MAX_PATH:
        raise VerificationError(Code.MALFORMED, "proof", "has no index, or too many hashes")
    path = [decode_base64(line, _HASH_BYTES, Code.MALFORMED, "proof") for line in rest[1:]]
    return Proof(int(match[1]), path, note)


def verify_inclusion(entry: bytes, proof_text: str, vkey: str | Sequence[str]) -> tuple[int, Checkpoint]:
    """Proves that `entry` is a leaf of a tree that the log signed; its index and that tree's checkpoint.

    Args:
        entry: the leaf's bytes.
        proof_text: a tlog-proof.
        vkey: the log's public key; several when it was replaced, or of several years.
    """
    proof = parse_proof(proof_text)
    checkpoint = open_checkpoint(proof.note, parse_vkeys(vkey))
    root = inclusion_root(hash_leaf(entry), proof.index, checkpoint.size, proof.path)
    if root != checkpoint.root:
        detail = f"the proof does not lead to the root of the tree of {checkpoint.size}"
        raise VerificationError(Code.NOT_INCLUDED, f"entry {proof.index}", detail)
    return proof.index, checkpoint


def verify_receipt(
    receipt: Mapping[str, Any],
    vkey: str | Sequence[str],
    *,
    source_keys: Mapping[str, str] | None = None,
    witnesses: Witnesses | None = None,
) -> Verified:
    """Verifies a receipt as `GET /v1/receipts/{id}` gives it.

    Args:
        receipt: `proof` (tlog-proof text), `leaf`, and unless it was deleted `entry` with `salt`.
        vkey: the log's public key; several when it was replaced, or of several years.
        source_keys: by service, base64 of its Ed25519 public key.
        witnesses: who must have cosigned the tree.

    Raises:
        VerificationError: what does not hold, by name.
    """
    leaf = parse_leaf(canonical(receipt.get("leaf"), "leaf"))
    if leaf is None:
        raise VerificationError(Code.MALFORMED, "leaf", "not a leaf")
    index, checkpoint = verify_inclusion(leaf.encode(), _text(receipt, "proof"), vkey)
    cosigned = () if witnesses is None else witnesses.require(checkpoint)
    recorded = receipt.get("entry")
    if recorded is None:
        return Verified(index, leaf, None, checkpoint, cosigned)
    if not isinstance(recorded, dict):
        raise VerificationError(Code.MALFORMED, f"entry {index}", "not an object")
    entry = cast("dict[str, Any]", recorded)
    _check_commitment(entry, _text(receipt, "salt"), leaf, index)
    if source_keys is not None:
        _check_source(entry, source_keys, index)
    return Verified(index, leaf, entry, checkpoint, cosigned)


def _text(members: Mapping[str, Any], name: str) -> str:
    """A member that must be a string; another kind is as good as none."""
    value = members.get(name)
    return value if isinstance(value, str) else ""


def canonical(value: Any, where: str) -> bytes:
    """The canonical JSON of a receipt's member."""
    try:
        return canonical_json(value)
    except (ValueError, RecursionError) as error:
        raise VerificationError(Code.MALFORMED, where, f"not canonical JSON: {error}") from error


def _check_commitment(entry: Mapping[str, Any], salt_text: str, leaf: Leaf, index: int) -> None:
    where = f"entry {index}"
    salt = decode_base64(salt_text, SALT_BYTES, Code.MALFORMED, where)
    canonical(dict(entry), where)
    if commit(salt, entry) != leaf.commitment:
        raise VerificationError(Code.COMMITMENT_MISMATCH, where, "the entry is not the one committed to")
    if (entry.get("source"), entry.get("seq"), entry.get("time")) != (leaf.source, leaf.seq, leaf.time):
        raise VerificationError(
            Code.COMMITMENT_MISMATCH, where, "source, number or time differ from the leaf"
        )


def _check_source(entry: Mapping[str, Any], source_keys: Mapping[str, str], index: int) -> None:
    """The service that the entry names signed it: Ed25519 over the canonical JSON of all other members."""
    where = f"entry {index}"
    service = _text(entry, "source").partition("/")[0]
    if service not in source_keys:
        raise VerificationError(Code.SOURCE_SIGNATURE, where, f"no public key of {service!r} was given")
    signed = {name: value for name, value in entry.items() if name != "signature"}
    try:
        signature = base64.b64decode(_text(entry, "signature"), validate=True)
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(source_keys[service], validate=True))
        key.verify(signature, canonical(signed, where))
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise VerificationError(Code.SOURCE_SIGNATURE, where, f"{service} did not sign it") from error
