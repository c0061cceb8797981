"""Versions of rows as entity tags (RFC 9110 §8.8.3)."""

from __future__ import annotations


def etag_of(version: int) -> str:
    """The tag of a version."""
    return f'"{version}"'


def version_of(etag: str) -> int:
    """The version in an ETag of ours; one that is not ours matches no version."""
    digits = etag.strip().strip('"')
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else -1  # noqa: PLR2004
