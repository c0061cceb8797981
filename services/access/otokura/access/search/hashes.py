"""What stands in the index: pieces of text as keyed hashes of four bytes, which tell nothing without the key.

The hash is BLAKE2b with a key (RFC 7693 §2.9), a pseudo-random function, cut to 32 bits: collisions cost a
candidate that is checked in vain, never one that is missed. Every use has a domain of its own
(BLAKE2's personalisation), so that no hash of one means anything in another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from uuid import UUID

_HASH_BYTES = 4
_MAC_BYTES = 16
KEY_BYTES = 32


class Domain(StrEnum):
    """What a hash is of."""

    REDACTED = "redacted"
    """A piece of the text without what is redacted."""
    RAW = "raw"
    """A piece of the text as it was said, of a transcript of which the two differ."""
    TERM = "term"
    """A property of the call: its language, a signal, the customer's number."""
    PHRASE = "phrase"
    """A whole phrase, for the audit log."""
    CURSOR = "cursor"
    """A key that is derived: seals cursors."""


@dataclass(frozen=True, slots=True)
class IndexKey:
    """A tenant's key to its index. `id` changes when the index is made anew with another."""

    tenant_id: UUID
    id: UUID
    _secret: bytes

    def hashes(self, domain: Domain, pieces: Iterable[str]) -> set[int]:
        """The hashes of some pieces, each as PostgreSQL's `integer`."""
        secret, person = self._secret, domain.encode()
        return {
            int.from_bytes(
                blake2b(piece.encode(), digest_size=_HASH_BYTES, key=secret, person=person).digest(),
                "little",
                signed=True,
            )
            for piece in pieces
        }

    def mac(self, text: str) -> str:
        """What stands for a phrase in the audit log: the same for the same phrase of the same tenant."""
        hashed = blake2b(
            text.encode(), digest_size=_MAC_BYTES, key=self._secret, person=Domain.PHRASE.encode()
        )
        return hashed.hexdigest()

    def derived(self, domain: Domain) -> bytes:
        """A key of 32 bytes for another use."""
        return blake2b(digest_size=KEY_BYTES, key=self._secret, person=domain.encode()).digest()

    def __repr__(self) -> str:
        return f"IndexKey({self.tenant_id}, {self.id})"
