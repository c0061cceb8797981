"""`otokura verify follow`: keep watch over a log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from otokura.cli.verify.broker import checkpoints_since
from otokura.cli.verify.cosignatures import Witnesses
from otokura.cli.verify.findings import Code, Finding, VerificationError
from otokura.cli.verify.following import Contradiction, Followed, Kept, follow
from otokura.cli.verify.newest import CHECKPOINT
from otokura.cli.verify.notes import Checkpoint, VerifierKey, open_checkpoint, parse_vkeys
from otokura.cli.verify.options import (
    CANNOT_BEGIN,
    WRONG,
    AsJson,
    Keys,
    Quorum,
    Witnessing,
    give_up,
    read_keys,
    read_witnesses,
)
from otokura.cli.verify.places import open_place


def follow_log(  # noqa: PLR0913, PLR0917 - one argument for each option
    location: Annotated[
        str, typer.Argument(help="The log: https://…/log/<year>, or a folder with its files.")
    ],
    state: Annotated[Path, typer.Option(help="The file in which the newest checkpoint seen is kept.")],
    key: Keys = None,
    other: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint that came another way (a bucket, another follower). Several times."),
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(help="host:port of a broker: its checkpoints must agree with the log.")
    ] = None,
    witness: Witnessing = None,
    quorum: Quorum = None,
    every: Annotated[
        float | None,
        typer.Option(min=0.05, help="Look again after so many seconds, for ever; once if not given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Follow a log: make sure that it only grows, and is the same as others see.

    Keeps the newest checkpoint in --state, and what contradicts it beside that. Exits 1 when the log has
    forked, shows less than before, does not verify or cannot be read, 2 when following cannot be begun or
    --state not be written. With --every, a log or broker that does not answer is waited for.
    """
    try:
        keys = parse_vkeys(read_keys(key, location))
        witnesses = read_witnesses(witness, quorum)
        given = [open_checkpoint(path.read_text(), keys) for path in other or ()]
        Kept.read(state).write(state)  # a look that could not be kept would be none
    except (OSError, ValueError, VerificationError) as error:
        raise give_up(error) from None
    look = partial(_look, location, keys, state, given, kafka, witnesses)
    while True:
        _look_and_tell(look, state, as_json=as_json, patient=every is not None)
        if every is None:
            return
        time.sleep(every)


def _look_and_tell(look: Callable[[], Followed], state: Path, *, as_json: bool, patient: bool) -> None:
    """Tells what one look saw; ends the program unless all is well, or the log is only away."""
    try:
        followed = look()
    except Contradiction as error:
        _tell(as_json, {**_wrong(error.finding), **_keep_evidence(state, error)})
        raise typer.Exit(WRONG) from None
    except VerificationError as error:
        _tell(as_json, _wrong(error.finding))
        if not (patient and _is_away(error.finding)):
            raise typer.Exit(WRONG) from None
    except (OSError, ValueError) as error:
        typer.echo(f"Cannot go on: {error}", err=True)
        raise typer.Exit(CANNOT_BEGIN) from None
    else:
        _tell(as_json, _summarise(followed))


def _is_away(finding: Finding) -> bool:
    """Whether nothing was learnt: no answer, or the 404 of a proxy whose server is being restarted."""
    return finding.code is Code.UNREADABLE or (finding.code, finding.where) == (Code.MISSING, CHECKPOINT)


def _look(
    location: str,
    keys: Sequence[VerifierKey],
    state: Path,
    given: Sequence[Checkpoint],
    kafka: str | None,
    witnesses: Witnesses | None,
) -> Followed:
    kept = Kept.read(state)
    notes, offsets = ([], kept.offsets) if kafka is None else checkpoints_since(kafka, kept.offsets)
    names = {key.name for key in keys}
    told = [open_checkpoint(note, keys) for note in notes if note.partition("\n")[0] in names]
    # The broker first: what it told of is in the log that is fetched after it.
    with open_place(location) as place:
        followed = follow(place, keys, kept, others=given, told=told, witnesses=witnesses)
    Kept(followed.newest.note, dict(offsets)).write(state)
    return followed


def _keep_evidence(state: Path, found: Contradiction) -> dict[str, object]:
    """Both notes, as they are signed: whoever has the log's key can see that they contradict each other.

    Returns:
        Where they are kept, or the notes themselves if they cannot be.
    """
    path = state.with_name(f"{state.name}.contradiction-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    notes = "\n".join(found.notes)
    try:
        path.write_text(notes)
    except OSError:
        return {"notes": notes}
    return {"evidence": str(path)}


def _summarise(followed: Followed) -> dict[str, object]:
    size, cosigned = followed.cosigned
    return {
        "ok": True,
        "origin": followed.newest.origin,
        "size": followed.newest.size,
        "root": followed.newest.root.hex(),
        "continues": followed.continued,
        "cosigned": [{"size": size, "name": each.name, "at": each.at} for each in cosigned],
    }


def _wrong(finding: Finding) -> dict[str, object]:
    return {"ok": False, "code": finding.code, "where": finding.where, "detail": finding.detail}


def _tell(as_json: bool, told: dict[str, object]) -> None:
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    elif told["ok"]:
        typer.echo(
            f"{told['origin']}: {told['size']} entries, continues {told['continues']} checkpoint(s) seen"
        )
    else:
        typer.echo(f"  WRONG     {told['code']} at {told['where']}: {told['detail']}")
        if "evidence" in told:
            typer.echo(f"  evidence  {told['evidence']}")
        if "notes" in told:
            typer.echo(f"  evidence  could not be kept; keep this:\n\n{told['notes']}")
