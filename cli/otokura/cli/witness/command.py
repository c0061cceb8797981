"""`otokura witness`: run a witness, and see what it has cosigned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from otokura.cli.verify.findings import VerificationError
from otokura.cli.verify.notes import parse_vkey
from otokura.cli.witness.book import Book
from otokura.cli.witness.judging import Witness
from otokura.cli.witness.keys import BOOK_FILE, LOGS_FILE, Logs, create, load
from otokura.cli.witness.server import create_app

app = typer.Typer(
    help="Run a witness: it cosigns logs that only grow, for whoever wants more than the log's own word.",
    no_args_is_help=True,
)
State = Annotated[Path, typer.Option("--state", help="The witness's folder: its key, logs and memory.")]
_FOLDER = Path("otokura-witness")
_CONNECTIONS = 256


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The witness's name, such as witness.example.jp/1.")],
    state: State = _FOLDER,
    post_quantum: Annotated[bool, typer.Option(help="Cosign with ML-DSA-44 instead of Ed25519.")] = False,
) -> None:
    """Make a witness and its key. Prints the public key (vkey), which verifiers and logs are given."""
    try:
        key = create(state, name, post_quantum=post_quantum)
    except (OSError, ValueError) as error:
        raise _fail(error) from None
    typer.echo(str(key.public))


@app.command()
def trust(
    vkey: Annotated[str, typer.Argument(help="The log's public key, obtained from elsewhere than the log.")],
    state: State = _FOLDER,
) -> None:
    """Cosign this log from now on, also in a witness that runs. Each year's log has a key of its own."""
    try:
        key = str(parse_vkey(vkey))
        path = state / LOGS_FILE
        if key not in path.read_text().splitlines():
            with path.open("a") as file:
                file.write(f"{key}\n")
    except (OSError, VerificationError) as error:
        raise _fail(error) from None


@app.command()
def serve(
    state: State = _FOLDER,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port.")] = 8150,
) -> None:
    """Answer POST add-checkpoint (C2SP tlog-witness). Put a proxy that speaks HTTPS before it."""
    try:
        key, logs = load(state), Logs(state / LOGS_FILE)
        known = logs()
        witness = Witness(key, Book(state / BOOK_FILE), logs)
    except (OSError, ValueError, VerificationError) as error:
        raise _fail(error) from None
    typer.echo(f"{key.public}\nlogs: {', '.join(sorted(known)) or 'none yet (otokura witness trust)'}")
    uvicorn.run(
        create_app(witness, str(key.public)),
        host=host,
        port=port,
        log_level="warning",
        limit_concurrency=_CONNECTIONS,
        server_header=False,
    )


@app.command()
def show(
    state: State = _FOLDER,
    refused: Annotated[bool, typer.Option(help="Print what was refused as a contradiction, whole.")] = False,
) -> None:
    """Print the key, the last tree cosigned of each log, and how often a log contradicted itself."""
    try:
        key, book = load(state), Book(state / BOOK_FILE)
    except (OSError, ValueError) as error:
        raise _fail(error) from None
    kept = book.refused()
    logs = [
        {"origin": each.origin, "size": each.size, "root": each.root.hex(), "at": each.at}
        for each in book.all()
    ]
    typer.echo(json.dumps({"key": str(key.public), "logs": logs, "refused": len(kept)}, ensure_ascii=False))
    for each in kept if refused else ():
        found = "two trees of one size: the log has forked" if each.proven else "no proof that it continues"
        typer.echo(f"# {each.at} {each.origin} {each.size}: answered {each.status}, {found}")
        typer.echo(f"# cosigned\n{each.cosigned}\n# refused\n{each.body.decode(errors='replace')}")


def _fail(error: Exception) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(1)
