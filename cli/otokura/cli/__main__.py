"""The `otokura` command."""

from __future__ import annotations

import typer

from otokura.cli import admin, dlq
from otokura.cli.calls import command as calls
from otokura.cli.demo.command import demo
from otokura.cli.evidence import evidence
from otokura.cli.kafka import kafka
from otokura.cli.keys import command as keys
from otokura.cli.opening import open_sealed
from otokura.cli.policy import command as policy
from otokura.cli.schemas.command import schemas
from otokura.cli.transcriptions import command as transcriptions
from otokura.cli.up import up
from otokura.cli.verify import command as verify
from otokura.cli.witness import command as witness

app = typer.Typer(
    help="Otokura keeps recordings of calls.", no_args_is_help=True, pretty_exceptions_show_locals=False
)
app.command()(up)
app.command()(demo)
app.command()(evidence)
app.command()(kafka)
app.command()(schemas)
app.command()(admin.token)
app.command("open")(open_sealed)
app.add_typer(admin.app, name="admin")
app.add_typer(calls.app, name="call")
app.add_typer(dlq.app, name="dlq")
app.add_typer(keys.app, name="keys")
app.add_typer(policy.app, name="policy")
app.add_typer(transcriptions.app, name="transcribe")
app.add_typer(verify.app, name="verify")
app.add_typer(witness.app, name="witness")

if __name__ == "__main__":
    app()
