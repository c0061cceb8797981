"""A ZIP archive of which every byte is signed, made while it is sent.

A manifest names files. What a ZIP archive says of itself beside them (headers, order, the directory, its end)
is nobody's file, and programs that open archives trust it. So the archive ends with a comment that is a
signature over all the bytes before it: nothing can be changed, cut off or put behind it unnoticed.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from otokura.access.lifecycle.archive import Archive, Growing, Member

_MARK = b"otokura.evidence-seal.v1 access "
_DOMAIN = b"otokura.evidence-seal.v1\n"
_SIGNATURE_TEXT = 88
"""Base64 of 64 bytes."""


class SealedArchive:
    """Members go in one after the other; `take` gives the bytes that there are so far.

    Args:
        moment: the time of every member.
        key: signs.
    """

    def __init__(self, moment: datetime, key: Ed25519PrivateKey) -> None:
        self._archive = Archive(moment.timetuple()[:6])
        self._key = key
        self._digest = hashlib.sha256()

    @property
    def members(self) -> list[Member]:
        """Those that are whole."""
        return self._archive.members

    def begin(self, name: str) -> Growing:
        """A member whose bytes come in pieces."""
        return self._archive.begin(name)

    def add(self, name: str, content: bytes) -> None:
        """A member at once."""
        self._archive.add(name, content)

    def take(self) -> bytes:
        """The bytes since the last time."""
        return self._hashed(self._archive.take())

    def finish(self) -> bytes:
        """The directory, and the comment: Ed25519 over the domain and SHA-256 of all before the comment."""
        room = len(_MARK) + _SIGNATURE_TEXT
        rest = self._hashed(self._archive.finish(room=room)[:-room])
        return rest + _MARK + base64.b64encode(self._key.sign(_DOMAIN + self._digest.digest()))

    def _hashed(self, chunk: bytes) -> bytes:
        self._digest.update(chunk)
        return chunk
