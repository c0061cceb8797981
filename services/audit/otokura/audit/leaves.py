"""From a signed entry to a leaf of the log.

A leaf is public and harmless: who wrote, which number, when, and a commitment to everything else. The
salt makes the commitment hide what it commits to; deleting salt and detail leaves a leaf that says nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from otokura.audit.tiles import MAX_ENTRY_BYTES
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


def prepare(event: AuditRecorded, make_salt: Callable[[int], bytes] = secrets.token_bytes) -> Prepared:
    """The leaf of an entry.

    Raises:
        ValueError: the leaf would not fit a bundle (its source is absurdly long).
    """
    members: dict[str, Any] = event.model_dump(mode="json")
    recorded = canonical_json(members)
    salt = make_salt(SALT_BYTES)
    leaf = canonical_json(
        {
            "v": VERSION,
            "source": event.source,
            "seq": event.seq,
            "time": cast("str", members["time"]),
            "commitment": commit(salt, recorded),
        }
    )
    if len(leaf) > MAX_ENTRY_BYTES:
        raise ValueError(f"a leaf of {len(leaf)} bytes does not fit a bundle")
    return Prepared(event, recorded, salt, leaf)
