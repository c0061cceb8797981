"""`otokura verify evidence`: a bundle of evidence, for people and scripts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from otokura.cli.verify.evidence import Evidence, access_key, verify_evidence
from otokura.cli.verify.evidence_stamp import read_certificates
from otokura.cli.verify.findings import VerificationError
from otokura.cli.verify.options import (
    AsJson,
    Keys,
    Quorum,
    Witnessing,
    give_up,
    read_keys,
    read_source_keys,
    read_witnesses,
    refuse,
)

_UNKNOWN = (
    "that a speaker is who they say they are",
    "what happened to the audio in phones and networks before it reached Otokura",
    "that the transcript is right: a machine made it; the audio is the original",
    "that playable.wav, transcript.txt, summary.pdf and what is said in vcon.json agree with the originals",
    "that the clocks of the servers were right",
    "that the history is whole: each entry is proved, but not that none was left out",
)
_UNSTAMPED = "when the bundle was made, beyond its own word: it has no timestamp that was verified"
_UNCOSIGNED = "that whoever runs the log shows everybody the same one: ask a witness, or keep checkpoints"
_UNBOUND = "whether {what} is the call's, beyond access's word: the log's details of it are gone"
_ERASED = "what {count} entries said: their details are erased, or were left out"


def evidence(
    bundle: Annotated[Path, typer.Argument(help="The bundle, as access gave it.")],
    key: Keys,
    source_keys: Annotated[Path, typer.Option(help="JSON {service: base64 public key}.")],
    tsa_root: Annotated[
        list[Path] | None,
        typer.Option(help="Certificates (PEM) of a time-stamping authority; may be given several times."),
    ] = None,
    witness: Witnessing = None,
    quorum: Quorum = None,
    details_expired: Annotated[
        bool,
        typer.Option(
            help="Accept that the log's details of sealing and transcript are gone: access's word is left."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Verify a bundle of evidence, offline.

    Every byte of it, each entry of the call's history with its proof and signature, and that audio,
    transcript and manifest are what the log says. Exits 1 when anything is wrong, 2 when it cannot be begun.
    """
    try:
        services = read_source_keys(source_keys) or {}
        access_key(services)
        logs, witnesses = read_keys(key, None), read_witnesses(witness, quorum)
        roots = [path.read_bytes() for path in tsa_root or ()]
        read_certificates(roots)
        bundle.open("rb").close()
    except (OSError, ValueError, VerificationError) as error:
        raise give_up(error) from None
    try:
        found = verify_evidence(
            bundle, logs, services, roots, witnesses=witnesses, details_expired=details_expired
        )
    except VerificationError as error:
        raise refuse(error, as_json=as_json) from None
    typer.echo(json.dumps(summarise(found), ensure_ascii=False) if as_json else "\n".join(describe(found)))


def unknown(found: Evidence) -> Sequence[str]:
    """What no verification of this bundle can tell."""
    more = [] if found.stamp is not None and found.stamp.trusted else [_UNSTAMPED]
    more += [_UNBOUND.format(what=what) for what in found.unbound]
    if found.history.erased:
        more.append(_ERASED.format(count=found.history.erased))
    return [*_UNKNOWN, *more, *([] if found.history.cosigned else [_UNCOSIGNED])]


def summarise(found: Evidence) -> dict[str, Any]:
    """What it proves, as JSON."""
    history = found.history
    told = asdict(found)
    told["history"] = {
        "entries": history.entries,
        "erased": history.erased,
        "actions": history.actions,
        "first_at": history.first_at,
        "last_at": history.last_at,
        "checkpoints": [
            {
                "origin": it.origin,
                "size": it.size,
                "root": it.root.hex(),
                "witnesses": [each.name for each in history.cosigned.get(year, ())],
            }
            for year, it in history.checkpoints.items()
        ],
    }
    return {"ok": True, **told, "unknown": list(unknown(found))}


def describe(found: Evidence) -> Sequence[str]:
    """What it proves, and what it cannot, in lines for people."""
    history = found.history
    lines = [
        f"  evidence  {found.evidence_id}",
        f"  call      {found.call_id}",
        f"  made      {found.made_at} by {found.made_by}: {found.reason}",
        f"  files     {found.files}, each with the hash in the signed manifest; no byte beside them",
        f"  audio     {found.audio_sha256 or 'none'}{_bound(found)}",
        f"  history   {history.entries} entries, {history.first_at} to {history.last_at}, proved and signed",
    ]
    lines += [f"            {count:>5}  {action}" for action, count in sorted(history.actions.items())]
    lines += [f"  log       {it.origin}, signed at {it.size} entries" for it in history.checkpoints.values()]
    lines += [
        f"  witness   {each.name} saw that tree of {year}"
        for year, cosigned in history.cosigned.items()
        for each in cosigned
    ]
    lines += [f"  missing   {what}: {why}" for what, why in found.missing.items()]
    lines.append(f"  timestamp {_stamp(found)}")
    lines += [f"  unknown   {each}" for each in unknown(found)]
    return [*lines, "Verified."]


def _bound(found: Evidence) -> str:
    if found.audio_sha256 is None:
        return ""
    return ", NOT bound by the log any more" if found.unbound else ", as it was sealed"


def _stamp(found: Evidence) -> str:
    if found.stamp is None:
        return f"none: {found.stamp_missing}"
    known = "verified" if found.stamp.trusted else "NOT verified: give --tsa-root"
    return f"{found.stamp.at} by {found.stamp.authority}, {known}"
