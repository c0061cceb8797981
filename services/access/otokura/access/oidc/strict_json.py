"""JSON that means one thing only: tokens and documents from outside are read by this alone."""

from __future__ import annotations

import json
from typing import Any, NoReturn, cast


def strict_object(data: bytes) -> dict[str, Any]:
    """A JSON object (RFC 8259) in UTF-8.

    Raises:
        ValueError: it is none; a member is named twice, a number is none, or the nesting has no end.
    """
    try:
        value: object = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(value, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - the content is wrong
    return cast("dict[str, Any]", value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def _no_number(name: str) -> NoReturn:
    del name
    raise ValueError("not a number")
