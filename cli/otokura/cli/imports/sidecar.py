"""Reading the sidecar: CSV as people's tools write it, JSON or JSON Lines. One row a call, all still text.

Excel in Japan writes cp932 ("CSV") or UTF-8 with a byte order mark ("CSV UTF-8"), and UTF-16 with tabs
("Unicode text"); elsewhere it separates with semicolons. All of them are taken as they are.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

NAMES = ("calls.csv", "calls.jsonl", "calls.json")
_SUFFIXES = {".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json"}
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_DELIMITERS = ",;\t"
_FORMULA = re.compile(r'^="(.*)"$')
"""How people make Excel keep the zeros in front of a number."""


class SidecarError(Exception):
    """The file cannot be read at all; the text says why."""


@dataclass(frozen=True)
class RawRow:
    """What one row says.

    Attributes:
        number: where it stands: the line, as an editor or a spreadsheet counts; in a JSON array the element.
        values: by lower-case name of the column; what is empty is left out.
    """

    number: int
    values: dict[str, Any]


def find_sidecar(folder: Path) -> Path | None:
    """The folder's own sidecar.

    Raises:
        SidecarError: it has several.
    """
    found = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise SidecarError(f"{folder} has {names}: say which with --sidecar")
    return found[0] if found else None


def read_sidecar(path: Path, encoding: str | None = None) -> list[RawRow]:
    """Every row of the file.

    Args:
        path: `.csv`, `.tsv`, `.txt`, `.jsonl`, `.ndjson` or `.json`.
        encoding: of its text; recognised if not given.

    Raises:
        SidecarError: it is not a file of this kind, or its text is in another encoding.
    """
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise SidecarError(f"{path} is no sidecar: name it .csv, .jsonl or .json")
    text = _decoded(path, encoding)
    if suffix == ".json":
        return _array(path, text)
    return _lines(path, text) if suffix in {".jsonl", ".ndjson"} else _table(path, text)


def _decoded(path: Path, encoding: str | None) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SidecarError(f"{path}: {error.strerror}") from None
    marked = next((name for bom, name in _BOMS.items() if data.startswith(bom)), None)
    # Text in cp932 is never valid UTF-8 by chance, the other way round it may be: so UTF-8 goes first.
    for candidate in [encoding] if encoding else [marked] if marked else ["utf-8", "cp932"]:
        try:
            return data.decode(candidate).removeprefix("\ufeff")
        except (UnicodeDecodeError, LookupError):
            continue
    tried = encoding or marked or "UTF-8 nor cp932 (Shift_JIS)"
    raise SidecarError(f"{path} is not in {tried}: give its encoding with --encoding, such as euc_jp")


def _table(path: Path, text: str) -> list[RawRow]:
    header = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[RawRow] = []
    try:
        columns = [name.strip().lower() for name in next(reader, list[str]())]
        if not any(columns):
            raise SidecarError(f"{path} has no header: its first line names the columns")
        if len(set(columns)) < len(columns):
            raise SidecarError(f"{path} names a column twice")
        start = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(RawRow(start, _row(columns, cells)))
            start = reader.line_num + 1
    except csv.Error as error:
        raise SidecarError(f"{path}, line {reader.line_num}: {error}") from None
    return rows


def _row(columns: list[str], cells: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: text
        for name, cell in zip(columns, cells, strict=False)
        if name and (text := _FORMULA.sub(r"\1", cell.strip()))
    }
    if any(cell.strip() for cell in cells[len(columns) :]):
        values["(beyond the header)"] = "…"
    return values


def _lines(path: Path, text: str) -> list[RawRow]:
    rows: list[RawRow] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                rows.append(RawRow(number, _object(json.loads(line))))
            except ValueError as error:
                raise SidecarError(f"{path}, line {number}: {error}") from None
    return rows


def _array(path: Path, text: str) -> list[RawRow]:
    try:
        found: object = json.loads(text)
        if not isinstance(found, list):
            raise ValueError("not an array of objects")  # noqa: TRY301, TRY004 - told with the others
        return [RawRow(number, _object(one)) for number, one in enumerate(cast("list[object]", found), 1)]
    except ValueError as error:
        raise SidecarError(f"{path}: {error}") from None


def _object(found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - as json's own
    values = cast("dict[object, object]", found)
    return {str(name).strip().lower(): value for name, value in values.items() if value not in (None, "")}
