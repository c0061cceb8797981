"""Pages of a list, by cursor: stable while things are added, and cheap at any depth."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Generic, Self, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, ValidationError

from otokura.shared.errors import BadRequest

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_CURSOR = 1024

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items at most.")]
CursorText = Annotated[
    str | None, Query(max_length=MAX_CURSOR, description="`next_cursor` of the page before; opaque.")
]


class Page(BaseModel, Generic[T]):
    """Some of the items, in order; `next_cursor` asks for those that follow, and is null on the last page."""

    items: list[T]
    next_cursor: str | None = None


class Cursor(BaseModel):
    """A position in a list: subclass it with the columns that the list is ordered by.

    It is no secret and not signed: a query that takes one is bounded by tenant and rights all the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def encode(self) -> str:
        """The cursor as callers carry it: base64url, opaque to them."""
        return base64.urlsafe_b64encode(self.model_dump_json().encode()).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str | None) -> Self | None:
        """The position that `encode` wrote; None for none.

        Raises:
            BadRequest: this is no cursor of this list.
        """
        if text is None:
            return None
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            return cls.model_validate_json(base64.b64decode(padded, b"-_", validate=True))
        except (UnicodeEncodeError, binascii.Error, ValidationError):
            raise BadRequest(
                "The cursor is not one of this list: use next_cursor of the page before, unchanged, "
                "or leave it out to begin."
            ) from None
