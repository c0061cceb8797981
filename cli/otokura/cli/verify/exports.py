"""Verifies an export of entries, as JSON Lines or CSV: offline, line by line, with public keys alone.

Each line is in the tree that the checkpoint signs, is what the log committed to, and says outside the entry
what the entry says. That nothing is left out between the lines no export can prove: the log's own files do.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from otokura.cli.verify.findings import Code, VerificationError
from otokura.cli.verify.notes import open_checkpoint, parse_vkeys
from otokura.cli.verify.receipts import Verified, verify_receipt
from otokura.cli.verify.strict_json import strict_object, strict_value

TYPE = "otokura.audit-export.v1"
_MAX_LINE = 4 << 20
"""Characters: an entry is at most a Kafka record of a megabyte, and a row of CSV holds it escaped."""
_MAX_ROW = 2 * _MAX_LINE
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")
_JSON = ("leaf", "entry", "path")
_LEAF = ("time", "source", "seq")
_ENTRY = ("entry_id", "action", "reader", "call_id")
_MEMBERS = {
    TYPE: {"type", "entry_id", "tenant_id", "shard", "checkpoint", "made_at"},
    "entry": {"type", "index", "salt", "address", "erased_at", "erased_why", *_JSON, *_LEAF, *_ENTRY},
    "end": {"type", "entries"},
}
"""What each type of line holds: in a member that it does not have, people could read what nobody verified."""


@dataclass(frozen=True)
class Exported:
    """What an export proves.

    Attributes:
        entries: how many lines were verified.
        removed: of how many the detail is gone or held back: place, time, source and number are proved, and
            what else their lines tell is the exporter's word, as when and by which entry the export was made.
        origin: the log's name.
        size: entries that the checkpoint covers.
        tenant_id: whose entries, as the first line says and each entry that has its detail.
    """

    entries: int
    removed: int
    origin: str
    size: int
    tenant_id: str | None


def verify_export(
    path: Path, vkey: str | Sequence[str], *, source_keys: Mapping[str, str] | None = None
) -> Exported:
    """Verifies an export, in memory that does not grow with it.

    Args:
        path: the file; what begins with `{` is JSON Lines, anything else CSV.
        vkey: the log's public key, or several.
        source_keys: by service, base64 of its Ed25519 public key.

    Raises:
        VerificationError: the first thing that does not hold.
        OSError: the file cannot be read.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = _lines(file)
        head = next(lines, None)
        if head is None or head.get("type") != TYPE:
            raise VerificationError(Code.MALFORMED, "line 1", f"is not the beginning of an {TYPE}")
        return _verify(head, lines, vkey, source_keys)


def _verify(
    head: Mapping[str, Any],
    lines: Iterator[Mapping[str, Any]],
    vkey: str | Sequence[str],
    source_keys: Mapping[str, str] | None,
) -> Exported:
    tree = open_checkpoint(str(head.get("checkpoint")), parse_vkeys(vkey))
    if not tree.origin.endswith(f"/{head.get('shard')}"):
        raise VerificationError(Code.WRONG_ORIGIN, "line 1", f"is of another year than {tree.origin}")
    count, removed, last = 0, 0, (datetime.min.replace(tzinfo=UTC), -1)
    for number, line in enumerate(lines, start=2):
        if line.get("type") == "end":
            if str(line.get("entries")) != str(count) or next(lines, None) is not None:
                raise VerificationError(Code.MALFORMED, f"line {number}", "is not the end of so many entries")
            return Exported(count, removed, tree.origin, tree.size, _text(head.get("tenant_id")) or None)
        verified = _verify_line(head, line, number, vkey, source_keys)
        place = (_moment(verified.leaf.time, number), verified.index)
        if place <= last:
            raise VerificationError(Code.MALFORMED, f"line {number}", "repeats an entry, or is out of order")
        last = place
        count += 1
        removed += verified.entry is None
    raise VerificationError(Code.MALFORMED, f"line {count + 2}", "the export was cut off: its end is missing")


def _moment(text: str, number: int) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise VerificationError(Code.MALFORMED, f"line {number}", "has no time") from error


def _verify_line(
    head: Mapping[str, Any],
    line: Mapping[str, Any],
    number: int,
    vkey: str | Sequence[str],
    source_keys: Mapping[str, str] | None,
) -> Verified:
    where = f"line {number}"
    path = line.get("path")
    if line.get("type") != "entry" or not isinstance(path, list):
        raise VerificationError(Code.MALFORMED, where, "is no entry")
    hashes = [str(hash_) for hash_ in cast("list[object]", path)]
    top = ["c2sp.org/tlog-proof@v1", f"index {line.get('index')}", *hashes]
    proof = "\n".join(top) + "\n\n" + str(head.get("checkpoint"))
    receipt = {
        "leaf": line.get("leaf"),
        "entry": line.get("entry"),
        "salt": line.get("salt"),
        "proof": proof,
    }
    verified = verify_receipt(receipt, vkey, source_keys=source_keys)
    _check_told(head, line, where, verified)
    return verified


def _check_told(head: Mapping[str, Any], line: Mapping[str, Any], where: str, verified: Verified) -> None:
    """What stands beside the entry, for people to read, is what the entry says."""
    expected: dict[str, Any] = {}
    if "time" in line:
        leaf = verified.leaf
        expected |= dict(zip(_LEAF, (leaf.time, leaf.source, leaf.seq), strict=True))
    if verified.entry is not None:
        entry = verified.entry
        expected |= {name: entry.get(name) for name in _ENTRY} | {"erased_at": None, "erased_why": None}
        if "address" in line:
            detail: object = entry.get("detail")
            expected["address"] = (
                cast("Mapping[str, Any]", detail).get("address") if isinstance(detail, dict) else None
            )
        if _text(entry.get("tenant_id")) != _text(head.get("tenant_id")):
            raise VerificationError(Code.COMMITMENT_MISMATCH, where, "the entry is of another tenant")
    elif not line.get("erased_at") or line.get("address"):
        raise VerificationError(Code.MALFORMED, where, "has no entry, and does not say since when")
    wrong = [name for name, value in expected.items() if _text(line.get(name)) != _text(value)]
    if wrong:
        told = f"says something else than the entry: {', '.join(sorted(wrong))}"
        raise VerificationError(Code.COMMITMENT_MISMATCH, where, told)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _lines(file: io.TextIOWrapper) -> Iterator[Mapping[str, Any]]:
    """The lines as JSON objects, whichever the form."""
    first = file.read(1)
    file.seek(0)
    return _json_lines(file) if first == "{" else _csv_rows(file)


def _json_lines(file: io.TextIOWrapper) -> Iterator[Mapping[str, Any]]:
    number = 0
    while line := file.readline(_MAX_LINE):
        number += 1
        yield _known(strict_object(line.encode(), f"line {number}"), f"line {number}")


def _csv_rows(file: io.TextIOWrapper) -> Iterator[Mapping[str, Any]]:
    csv.field_size_limit(_MAX_LINE)
    lines = _Bounded(file)
    number = 0
    try:
        rows = csv.DictReader(lines, strict=True)
        names = rows.fieldnames or []
        if len(set(names)) != len(names):
            raise VerificationError(Code.MALFORMED, "line 1", "names a column twice")
        for row in rows:
            number += 1
            lines.taken = 0
            yield _known(_row(row, f"line {number}"), f"line {number}")
    except csv.Error as error:
        raise VerificationError(Code.MALFORMED, f"line {number + 1}", "is no CSV") from error


class _Bounded:
    """The lines of a file, of which one row may hold several: no row may be longer than `_MAX_ROW`."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file = file
        self.taken = 0

    def __iter__(self) -> _Bounded:
        return self

    def __next__(self) -> str:
        line = self._file.readline(_MAX_ROW)
        if not line:
            raise StopIteration
        self.taken += len(line)
        if self.taken >= _MAX_ROW:
            raise VerificationError(Code.MALFORMED, "CSV", "a row is too long")
        return line


def _known(line: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The line, if it holds what a line of its type does. A row of CSV has the cells of the others, empty."""
    if any(value is not None for name, value in line.items() if name not in _members(line)):
        raise VerificationError(Code.MALFORMED, where, "has members that no such line has")
    return line


def _members(line: Mapping[str, Any]) -> set[str]:
    return _MEMBERS.get(str(line.get("type")), set())


def _row(row: Mapping[str, str | None], where: str) -> Mapping[str, Any]:
    """A row as the JSON object that it was made of; empty cells are null."""
    if None in row or None in row.values():
        raise VerificationError(Code.MALFORMED, where, "has more or fewer cells than the first row")
    cells: dict[str, Any] = {name: _unguarded(cell or "") or None for name, cell in row.items()}
    for name in _JSON:
        if cells.get(name) is not None:
            cells[name] = strict_value(cells[name].encode(), where)
    return cells


def _unguarded(cell: str) -> str:
    """Without the apostrophe that keeps a spreadsheet from computing it."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
