"""Identifiers: UUIDv7 (RFC 9562 §5.7), which sort by the time at which they were made."""

from __future__ import annotations

from uuid import UUID

import uuid_utils.compat


def uuid7() -> UUID:
    """A new UUIDv7: millisecond time first, 74 random bits after it."""
    return uuid_utils.compat.uuid7()
