"""`otokura policy`: test policies against a table of cases, and against all that was ever decided."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from otokura.cli.api.asking import AccessUrl, AuditUrl, ClientSecret, asked, audit_as_auditor, moment
from otokura.cli.api.http import Api
from otokura.cli.policy import cases
from otokura.cli.policy.replay import DECIDED, Change, Kind, grouped, replay
from otokura.cli.target import DEFAULT_FOLDER, DataFolder
from otokura.shared.policy.engine import POLICY_DIR, PolicyEngine, PolicyInvalid

app = typer.Typer(help="Try policies before they are switched on.", no_args_is_help=True)

_PAGE = 200
_Policies = Annotated[
    Path | None,
    typer.Option(
        "--policies",
        exists=True,
        file_okay=False,
        help="The folder with schema.cedarschema and *.cedar; the built-in policies if not given.",
    ),
]
_ClientId = Annotated[
    str | None,
    typer.Option(envvar="OTOKURA_CLIENT_ID", help="An auditor; the local auditor if not given."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("test")
def judge_cases(
    table: Annotated[
        Path, typer.Argument(metavar="CASES", dir_okay=False, exists=True, help="A YAML file of cases.")
    ],
    *,
    policies: _Policies = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Fail also when a policy decides none of the cases.")
    ] = False,
) -> None:
    """Ask the policies every case of a table. Exits 1 when one is decided otherwise."""
    engine = _engine(policies)
    try:
        outcomes = list(cases.judged(engine, cases.read(table)))
    except cases.CasesError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    wrong = [outcome for outcome in outcomes if not outcome.as_expected]
    for outcome in wrong:
        answer = "allowed" if outcome.decision.allowed else "denied"
        by = ", ".join(outcome.decision.policies) or "no policy"
        typer.echo(f"✗ {outcome.case.case} ({outcome.action}): {answer} by {by}", err=True)
    idle = cases.unused(engine, outcomes)
    if idle:
        typer.echo(f"No case is decided by: {', '.join(idle)}.", err=True)
    typer.echo(f"{len(outcomes) - len(wrong)} of {len(outcomes)} cases are decided as they should be.")
    raise typer.Exit(1 if wrong or (complete and idle) else 0)


@app.command("replay")
def replay_entries(  # noqa: PLR0913 - one argument for each option
    *,
    since: Annotated[str, typer.Option(help="Decisions of then or later: a date or a time.")],
    until: Annotated[str | None, typer.Option(help="Decisions before.")] = None,
    policies: _Policies = None,
    as_json: _Json = False,
    url: AccessUrl = None,
    audit_url: AuditUrl = None,
    client_id: _ClientId = None,
    client_secret: ClientSecret = None,
    data: DataFolder = DEFAULT_FOLDER,
) -> None:
    """Judge all that was decided again: whom other policies would have refused, and whom let in."""
    engine = _engine(policies)
    period = {"from": moment("--since", since), "to": moment("--until", until)}
    with audit_as_auditor(url, audit_url, client_id, client_secret, data) as audit:
        found = asked(lambda: replay(engine, _entries(audit, period)))
    if as_json:
        typer.echo(json.dumps(found.described(), ensure_ascii=False))
        return
    _show("Would have been refused", found.refused)
    _show("Would have been let in", found.let_in)
    _show_kinds(found.kinds)
    typer.echo(f"{found.same} would be decided as they were; {found.unjudged} cannot be judged again.")


def _engine(folder: Path | None) -> PolicyEngine:
    try:
        engine = PolicyEngine(folder or POLICY_DIR)
    except PolicyInvalid as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    for warning in engine.warnings:
        typer.echo(f"Warning: {warning}", err=True)
    return engine


def _entries(audit: Api, period: dict[str, str | None]) -> Iterator[dict[str, Any]]:
    """The entries of a period that hold decisions, page by page."""
    for action in DECIDED:
        wanted = {"action": action, "limit": _PAGE, **period}
        cursor: str | None = None
        while True:
            params = {name: value for name, value in {**wanted, "cursor": cursor}.items() if value}
            page = audit.json("GET", "/v1/entries", params=params)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break


def _show(title: str, changes: Sequence[Change]) -> None:
    if not changes:
        typer.echo(f"{title}: nobody.")
        return
    table = Table("reader", "action", "by", "times", title=f"{title}: {len(changes)}", box=None)
    for reader, action, policies, count in grouped(changes):
        table.add_row(reader, action, ", ".join(policies) or "no policy", str(count))
    Console().print(table)


def _show_kinds(kinds: Mapping[str, Kind]) -> None:
    """How many of each kind there were: what is not here was not judged."""
    table = Table("entries", "as they were", "refused", "let in", "cannot be judged", box=None)
    for name, kind in kinds.items():
        table.add_row(name, *map(str, (kind.same, kind.refused, kind.let_in, kind.unjudged)))
    Console().print(table)
