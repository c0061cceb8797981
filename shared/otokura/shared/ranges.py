"""Range requests (RFC 9110 §14): one range of bytes; several at once are answered with the whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

from otokura.shared.errors import RangeNotSatisfiable

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*", re.ASCII | re.IGNORECASE)
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `start` up to, not including, `stop` of a representation of `size` bytes."""

    start: int
    stop: int
    size: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.stop - self.start

    @property
    def content_range(self) -> str:
        """The Content-Range header of the 206 response (RFC 9110 §14.4); its last position is inclusive."""
        return f"bytes {self.start}-{self.stop - 1}/{self.size}"


def parse_range(
    header: str | None, size: int, *, if_range: str | None = None, etag: str | None = None
) -> ByteRange | None:
    """The one range that a request asks for; None to answer with the whole.

    Other units, malformed headers, several ranges, and a condition that does not hold are ignored, as
    §14.2 and §13.1.5 allow or demand.

    Args:
        header: the Range header.
        size: length of the representation in bytes.
        if_range: the If-Range header: the range counts only if this is the strong `etag`.
        etag: the representation's entity tag, with its quotes.

    Raises:
        RangeNotSatisfiable: the range begins past the end, or is the last zero bytes.
    """
    match = _RANGE.fullmatch(header) if header is not None else None
    if match is None or (if_range is not None and not _strongly_equal(if_range, etag)):
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return _suffix(_number(suffix), size)
    start = _number(first)
    if last and _number(last) < start:
        return None
    if start >= size:
        raise _unsatisfiable(size)
    stop = min(_number(last) + 1, size) if last else size
    return ByteRange(start, stop, size)


def _suffix(length: int, size: int) -> ByteRange | None:
    if length == 0:
        raise _unsatisfiable(size)
    # The last bytes of nothing are nothing: satisfiable, but without a Content-Range that could say so.
    return ByteRange(max(size - length, 0), size, size) if size else None


def _number(digits: str) -> int:
    """The number, or one past any size: Python refuses to read thousands of digits."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _MAX_DIGITS else 10**_MAX_DIGITS


def _strongly_equal(if_range: str, etag: str | None) -> bool:
    return etag is not None and if_range == etag and not etag.startswith("W/")


def _unsatisfiable(size: int) -> RangeNotSatisfiable:
    return RangeNotSatisfiable(
        f"The range lies outside the {size} bytes there are.", headers={"Content-Range": f"bytes */{size}"}
    )
