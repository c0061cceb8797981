"""Lines of an export: JSON, and CSV (RFC 4180) that a spreadsheet opens without computing anything.

A cell that begins with what a spreadsheet takes for a formula gets an apostrophe before it, as OWASP's
"CSV Injection" says; in Japanese ones the full-width signs count, too. Every cell is quoted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")
"""What a cell must not begin with; the apostrophe itself, so that what is read is what was written."""
_PLAIN = ("type", "time", "action", "reader", "call_id", "address", "entry_id", "source", "seq", "index")
_JSON = ("leaf", "entry", "path")
_REST = ("erased_at", "erased_why", "salt", "shard", "tenant_id", "checkpoint", "made_at", "entries")
COLUMNS = (*_PLAIN, *_REST, *_JSON)
_BOM = "\ufeff"


def json_line(members: Mapping[str, Any]) -> str:
    """One line of JSON Lines."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")) + "\n"


def csv_names() -> str:
    """The first row. With a byte order mark, without which spreadsheets do not read UTF-8."""
    return _BOM + _row(COLUMNS)


def csv_line(members: Mapping[str, Any]) -> str:
    """The same line as a row; what people look for stands in columns of its own before the JSON."""
    cells = {name: members.get(name) for name in COLUMNS}
    leaf = members.get("leaf")
    if leaf is not None:
        entry: Mapping[str, Any] | None = members["entry"]
        detail: Mapping[str, Any] = entry["detail"] if entry else {}
        shown = {"time": leaf["time"], "source": leaf["source"], "seq": leaf["seq"]}
        cells |= shown | {"address": detail.get("address")}
        cells |= {name: json.dumps(members[name], ensure_ascii=False) for name in _JSON}
    return _row([_text(cells[name]) for name in COLUMNS])


def _text(value: object) -> str:
    return "" if value is None else guarded(str(value))


def guarded(text: str) -> str:
    """A text that is no formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _row(cells: Any) -> str:
    quoted = (f'"{str(cell).replace(chr(34), chr(34) * 2)}"' for cell in cells)
    return ",".join(quoted) + "\r\n"
