"""JSON that can be read in one way only: no member twice, no NaN, an object."""

from __future__ import annotations

import json
from typing import Any, NoReturn, cast

from otokura.cli.verify.findings import Code, VerificationError


def strict_object(data: bytes, where: str) -> dict[str, Any]:
    """The object in JSON of UTF-8.

    Raises:
        VerificationError: it is none, or programs could read different things in it.
    """
    return as_object(strict_value(data, where), where)


def strict_value(data: bytes, where: str) -> object:
    """Whatever the JSON of UTF-8 holds.

    Raises:
        VerificationError: programs could read different things in it, or it is no JSON.
    """
    try:
        value: object = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise VerificationError(Code.MALFORMED, where, "no JSON that can be read in one way only") from error
    return value


def as_object(value: object, where: str) -> dict[str, Any]:
    """The value, which must be an object."""
    if not isinstance(value, dict):
        raise VerificationError(Code.MALFORMED, where, "not an object")
    return cast("dict[str, Any]", value)


def as_list(value: object, where: str) -> list[object]:
    """The value, which must be a list."""
    if not isinstance(value, list):
        raise VerificationError(Code.MALFORMED, where, "not a list")
    return cast("list[object]", value)


def as_objects(value: object, where: str) -> list[dict[str, Any]]:
    """The value, which must be a list of objects."""
    return [as_object(item, where) for item in as_list(value, where)]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
