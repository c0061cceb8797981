"""What an import says at its end: a table for people, and JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from otokura.cli.imports.entries import Fault
from otokura.cli.imports.sending import Outcome

_STYLES = {"sealed": "green", "skipped": "dim", "failed": "red", "unfinished": "yellow"}


def show(console: Console, outcomes: Sequence[Outcome]) -> None:
    """What did not become a recording now, and how many did."""
    told = [outcome for outcome in outcomes if outcome.state != "sealed"]
    if told:
        table = Table("row", "file", "state", "why")
        for outcome in told:
            state = Text(outcome.state, style=_STYLES[outcome.state])
            row = str(outcome.entry.row or "")
            table.add_row(row, Text(outcome.entry.file), state, Text(outcome.reason or ""))
        console.print(table)
    counts = Counter(outcome.state for outcome in outcomes)
    console.print(
        ", ".join(f"{counts[state]} {state}" for state in _STYLES if counts[state]) or "nothing to do"
    )


def show_faults(console: Console, faults: Sequence[Fault]) -> None:
    """Everything that is wrong with the sidecar."""
    table = Table("row", "column", "what is wrong")
    for fault in sorted(faults):
        table.add_row(str(fault.row), Text(fault.column), Text(fault.message))
    console.print(table)


def write(path: Path, outcomes: Sequence[Outcome], faults: Sequence[Fault]) -> None:
    """The same for programs: `recordings` and `faults`, and a count of each state."""
    recordings = [
        {
            "row": outcome.entry.row or None,
            "file": outcome.entry.file,
            "external_id": outcome.entry.external_id,
            "state": outcome.state,
            "call_id": outcome.call_id,
            "reason": outcome.reason,
        }
        for outcome in outcomes
    ]
    report = {
        **Counter(outcome.state for outcome in outcomes),
        "recordings": recordings,
        "faults": [{"row": fault.row, "column": fault.column, "message": fault.message} for fault in faults],
    }
    path.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
