"""Where a search goes on: sealed, for it may be a call that the reader does not know of.

AES-256-GCM under a key of the tenant's index, bound to the reader and to all that was asked. To another
question, or when the index was made anew, a cursor is none.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict

from otokura.access.search.hashes import Domain, IndexKey
from otokura.shared.errors import BadRequest
from otokura.shared.moments import Moment

_NONCE_BYTES = 12


class Place(BaseModel):
    """Behind this call; so many were found before."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    started_at: Moment
    call_id: UUID
    found: int


def sealed(key: IndexKey, question: str, place: Place) -> str:
    """The place as callers carry it.

    Args:
        key: the tenant's.
        question: who asked for what, as text.
        place: where the search stands.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    aead = AESGCM(key.derived(Domain.CURSOR))
    text = aead.encrypt(nonce, place.model_dump_json().encode(), question.encode())
    return base64.urlsafe_b64encode(nonce + text).rstrip(b"=").decode()


def opened(key: IndexKey, question: str, cursor: str) -> Place:
    """The place that was sealed for the same question.

    Raises:
        BadRequest: this is no cursor of this search.
    """
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        nonce, text = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
        plain = AESGCM(key.derived(Domain.CURSOR)).decrypt(nonce, text, question.encode())
    except (UnicodeEncodeError, binascii.Error, InvalidTag, ValueError):
        raise stale() from None
    return Place.model_validate_json(plain)


def stale() -> BadRequest:
    """The refusal of what is no cursor."""
    return BadRequest(
        "The cursor is not one of this search: send next_cursor of the answer before with the same question, "
        "or leave it out to begin."
    )
