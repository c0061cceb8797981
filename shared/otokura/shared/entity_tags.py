"""Entity tags of pages that are the same for everybody, so that a browser need not fetch them again."""

from __future__ import annotations

import hashlib


def entity_tag(content: bytes) -> str:
    """The strong entity tag of a content (RFC 9110 §8.8.3)."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_known(tag: str, if_none_match: str | None) -> bool:
    """Whether `If-None-Match` names the tag, compared weakly (RFC 9110 §13.1.2): the answer is 304 then."""
    named = [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]
    return tag in named
