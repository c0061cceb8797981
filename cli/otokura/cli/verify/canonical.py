"""Canonical JSON (RFC 8785), so that a hash or signature over it can be checked from the values."""

from __future__ import annotations

import json
import math
from typing import Any, TypeGuard

_FIXED_BELOW = 21
"""ECMAScript writes numbers below 10**21 without an exponent, and from 10**-6 on."""


def canonical_json(value: Any) -> bytes:
    """`value` as RFC 8785 writes it: members sorted by UTF-16 code units, no spaces, UTF-8.

    Raises:
        ValueError: not JSON: NaN, an infinity, or an integer that a double cannot hold exactly.
    """
    return _write(value).encode()


def _write(value: Any) -> str:
    if _is_object(value):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_write(name)}:{_write(value[name])}" for name in names) + "}"
    if _is_array(value):
        return "[" + ",".join(_write(item) for item in value) + "]"
    if isinstance(value, float):
        return _write_float(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 53:
        raise ValueError(f"{value} is not exact in JSON")
    if value is None or isinstance(value, str | int):
        return json.dumps(value, ensure_ascii=False)
    raise ValueError(f"{type(value).__name__} is not JSON")


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_array(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _write_float(value: float) -> str:
    """A number as ECMAScript writes it (ECMA-262, Number::toString): shortest digits, its own notation."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not JSON")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    point = len(whole) + int(exponent or 0) - leading
    digits = digits.rstrip("0")
    return sign + _place_point(digits, point)


def _place_point(digits: str, point: int) -> str:
    """Digits with the decimal point after the first `point` of them."""
    count = len(digits)
    if count <= point <= _FIXED_BELOW:
        return digits + "0" * (point - count)
    if 0 < point <= _FIXED_BELOW:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:  # noqa: PLR2004 - the bound in ECMA-262
        return "0." + "0" * -point + digits
    mantissa = digits[0] + (f".{digits[1:]}" if count > 1 else "")
    return f"{mantissa}e{point - 1:+d}"
