"""From a signed entry to a leaf of the log.

A leaf is public and harmless: who wrote, which number, when, and a commitment to everything else. The
salt makes the commitment hide what it commits to; deleting salt and detail leaves a leaf that says nothing.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from otokura.audit.tiles import MAX_ENTRY_BYTES
from otokura.shared.audit_entries import canonical
from otokura.shared.audit_events import AuditRecorded
from otokura.shared.canonical_json import canonical_json

VERSION = 1
SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Prepared:
    """An entry that is ready to be sequenced.

    Attributes:
        event: the entry.
        recorded: all its members, the signature too, as canonical JSON.
        salt: 16 random bytes.
        leaf: what the log holds.
    """

    event: AuditRecorded
    recorded: bytes
    salt: bytes
    leaf: bytes


def commit(salt: bytes, recorded: bytes) -> str:
    """The commitment to an entry, in hex: SHA-256(salt ‖ recorded)."""
    return hashlib.sha256(salt + recorded).hexdigest()


def prepare(
    event: AuditRecorded,
    make_salt: Callable[[int], bytes] = secrets.token_bytes,
    *,
    signed: bytes | None = None,
) -> Prepared:
    """The leaf of an entry.

    Args:
        event: the entry.
        make_salt: gives so many random bytes.
        signed: `canonical` of the entry, where it is known already: all else is cut from it.

    Raises:
        ValueError: the leaf would not fit a bundle (its source is absurdly long).
    """
    signed = canonical(event) if signed is None else signed
    recorded = with_signature(signed, event.signature)
    salt = make_salt(SALT_BYTES)
    leaf = encode_leaf(event.source, event.seq, _time_of(signed), commit(salt, recorded))
    if len(leaf) > MAX_ENTRY_BYTES:
        raise ValueError(f"a leaf of {len(leaf)} bytes does not fit a bundle")
    return Prepared(event, recorded, salt, leaf)


def with_signature(signed: bytes, signature: bytes) -> bytes:
    """The canonical JSON of an entry with its signature, from that without.

    Of the members that follow `detail` none holds an object, and a quote in a string is escaped: the last
    `,"source":` is the member.
    """
    at = signed.rindex(b',"source":')
    return b'%b,"signature":"%b"%b' % (signed[:at], base64.b64encode(signature), signed[at:])


def _time_of(signed: bytes) -> str:
    """The last member of an entry, as it was signed."""
    return signed[:-2].rpartition(b'"')[2].decode()


def encode_leaf(source: str, seq: int, time: str, commitment: str) -> bytes:
    """The canonical JSON of a leaf's five members; `time` and `commitment` need no escapes."""
    return (
        f'{{"commitment":"{commitment}","seq":{seq},"source":{_quoted(source)},"time":"{time}","v":{VERSION}}}'
    ).encode()


@lru_cache(maxsize=1024)
def _quoted(source: str) -> str:
    return canonical_json(source).decode()
