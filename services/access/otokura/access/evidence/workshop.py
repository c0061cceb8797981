"""What making evidence takes beside what every read takes: a key that signs, audit, and a place to work."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from otokura.access.evidence.custody import Custody
from otokura.access.evidence.timestamp import Authority
from otokura.access.places import Places

_BUNDLES = 2
"""Of one tenant at once: each streams a whole recording twice, once through a decoder."""


class Workshop:
    """One of this process.

    Args:
        key: access's own, whose public half verifiers have among the source keys.
        custody: the histories that audit gives.
        authority: stamps manifests; None where none is configured.
    """

    def __init__(self, key: Ed25519PrivateKey, custody: Custody, authority: Authority | None = None) -> None:
        self.key = key
        self.custody = custody
        self.authority = authority
        self.places = Places(_BUNDLES)

    async def close(self) -> None:
        """Closes what it has open."""
        await self.custody.close()
