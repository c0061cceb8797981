"""How the demonstration looks in a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from otokura.cli.demo.scenario import MadeCall, Read
from otokura.cli.verify.command import describe
from otokura.cli.verify.evidence import Evidence
from otokura.cli.verify.evidence_command import describe as describe_evidence
from otokura.cli.verify.findings import Finding, Report

_VOICES = {"agent": "cyan", "customer": "yellow"}


def heading(console: Console, number: int, text: str) -> None:
    """A step begins."""
    console.print(f"\n[bold]{number}  {escape(text)}[/]", highlight=False)


def conversation(console: Console, call: MadeCall, transcript: bytes) -> None:
    """A transcript as people speaking in turn."""
    document: Mapping[str, Any] = json.loads(transcript)
    engine = f"{document['engine']}, {document['model']}, {document['language']}"
    console.print(f"\n   [bold]{escape(call.name)}[/]  [dim]{escape(engine)}[/]", highlight=False)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", style="dim", min_width=8)
    grid.add_column()
    # Japanese has no spaces to break a line at.
    grid.add_column(ratio=1, overflow="fold")
    for turn in document["turns"]:
        seconds = turn["start_ms"] // 1000
        role = str(turn["role"])
        grid.add_row(
            f"{seconds // 60}:{seconds % 60:02}", Text(role, _VOICES.get(role, "")), Text(turn["text"])
        )
    console.print(grid)


def reads(console: Console, attempts: Sequence[Read]) -> None:
    """Who asked for what, and what they got."""
    grid = Table.grid(padding=(0, 2))
    for one in attempts:
        mark = Text("read   ", "green") if one.allowed else Text("refused", "red")
        grid.add_row("  ", mark, one.who, f"from {one.where}", f"{one.what} of {one.call.name}", one.answer)
    console.print(grid)


def entries(console: Console, found: Sequence[Mapping[str, Any]], calls: Sequence[MadeCall]) -> None:
    """The log's entries on reading: who heard what, when, from where, and how it ended."""
    names = {call.id: call.name for call in calls}
    table = Table(box=None, header_style="dim", padding=(0, 1))
    for title in ("time", "entry", "who", "from", "call", "what"):
        table.add_column(title, overflow="fold")
    for entry in found:
        detail: Mapping[str, Any] = entry["detail"] or {}
        at = datetime.fromisoformat(str(entry["time"])).astimezone()
        who = f"{detail.get('name', entry['reader'])} ({', '.join(detail.get('roles', []))})"
        call = names.get(str(entry["call_id"]), "")
        place = str(detail.get("address", ""))
        action = Text(str(entry["action"]), "red" if entry["action"] == "read.denied" else "")
        table.add_row(f"{at:%H:%M:%S}", action, who, place, call, _what(entry["action"], detail))
    console.print(table)


def _what(action: str, detail: Mapping[str, Any]) -> str:
    if action == "read.denied":
        return f"{detail.get('action')}: {', '.join(detail.get('why', []))}"
    if action == "read.closed":
        return f"{detail.get('bytes_sent', 0):,} bytes sent, {detail.get('outcome')}"
    return f"{detail.get('action')}, for {detail.get('purpose')}"


def verification(console: Console, report: Report) -> None:
    """What the verifier found."""
    for line in describe(report):
        console.print(f"   {escape(line)}", highlight=False)


def evidence(console: Console, path: Path, found: Evidence, refusal: Finding | None) -> None:
    """What a bundle proves, what it cannot, and what becomes of it after one bit is changed."""
    console.print(f"   {escape(str(path))}", style="dim", highlight=False)
    for line in describe_evidence(found):
        console.print(f"   {escape(line)}", highlight=False)
    console.print("   The same, with one bit of it changed:", highlight=False)
    if refusal is None:
        console.print("     [red]verified all the same[/]", highlight=False)
    else:
        console.print(f"     [red]WRONG[/]     {escape(str(refusal))}\n   NOT verified.", highlight=False)
