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
    try:
        value: object = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise VerificationError(Code.MALFORMED, where, "no JSON that can be read in one way only") from error
    if not isinstance(value, dict):
        raise VerificationError(Code.MALFORMED, where, "not a JSON object")
    return cast("dict[str, Any]", value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
