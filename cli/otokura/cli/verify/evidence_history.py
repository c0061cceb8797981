"""The history in a bundle: every entry of the call, proved in the log and signed by whom it names."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from otokura.cli.verify.cosignatures import Witnesses
from otokura.cli.verify.evidence_archive import EvidenceArchive
from otokura.cli.verify.findings import Code, Cosignature, VerificationError
from otokura.cli.verify.notes import Checkpoint, open_checkpoint, parse_vkey
from otokura.cli.verify.receipts import verify_receipt
from otokura.cli.verify.strict_json import as_list, as_object, strict_object

ENTRIES = "custody/entries.jsonl"
_MEMBERS = {"shard", "index", "leaf", "entry", "salt", "erased_at", "erased_why", "path"}
_MOST_LINE = 4 << 20
_MOST_NOTE = 64 << 10
_SEALED, _TRANSCRIBED, _OPENED = "recording.sealed", "recording.transcribed", "read.opened"


@dataclass
class History:
    """What the log says of the call.

    Attributes:
        entries: how many.
        erased: how many of them have lost their details.
        checkpoints: by year, the signed tree that holds them.
        cosigned: by year, the witnesses who had seen that tree, of those that were asked for.
        actions: how many of each kind.
        sealed: the details of `recording.sealed`.
        transcripts: the hashes that `recording.transcribed` names.
        opened: the entry that says that this bundle was asked for.
        first_at, last_at: the times of the first and the last entry.
    """

    entries: int = 0
    erased: int = 0
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict[int, Checkpoint])
    cosigned: dict[int, tuple[Cosignature, ...]] = field(default_factory=dict[int, tuple[Cosignature, ...]])
    actions: dict[str, int] = field(default_factory=dict[str, int])
    sealed: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    transcripts: set[str] = field(default_factory=set[str])
    opened: Mapping[str, Any] | None = None
    first_at: str = ""
    last_at: str = ""


def verify_history(
    archive: EvidenceArchive,
    manifest: Mapping[str, Any],
    vkeys: Sequence[str],
    source_keys: Mapping[str, str],
    witnesses: Witnesses | None = None,
) -> History:
    """Verifies every entry, in order, each against the one checkpoint of its year.

    Args:
        archive: the bundle.
        manifest: its manifest, whose signature is verified.
        vkeys: public keys of the logs.
        source_keys: by service, base64 of its Ed25519 public key.
        witnesses: who must have cosigned the tree of each year.

    Raises:
        VerificationError: what does not hold, by name.
    """
    history = History()
    notes = _checkpoints(archive, manifest, vkeys, history)
    if witnesses is not None:
        history.cosigned = {year: witnesses.require(it) for year, it in history.checkpoints.items()}
    before = (0, -1)
    for line in archive.lines(ENTRIES, _MOST_LINE):
        item = strict_object(line, ENTRIES)
        if not item.keys() <= _MEMBERS:
            raise VerificationError(Code.MALFORMED, ENTRIES, "an entry has members of another version")
        place = (_whole(item.get("shard")), _whole(item.get("index")))
        if place <= before or place[0] not in notes:
            raise VerificationError(Code.MALFORMED, ENTRIES, f"entry {place} is out of order, or of no log")
        before = place
        note, vkey = notes[place[0]]
        verified = verify_receipt({**item, "proof": _proof(item, note)}, vkey, source_keys=source_keys)
        if verified.index != place[1]:
            raise VerificationError(Code.NOT_INCLUDED, ENTRIES, f"entry {place} is proved elsewhere")
        history.entries += 1
        history.last_at = verified.leaf.time
        history.first_at = history.first_at or verified.leaf.time
        _note(history, manifest, verified.entry)
    told = as_object(manifest.get("custody"), ENTRIES)
    if (told.get("entries"), told.get("erased")) != (history.entries, history.erased):
        raise VerificationError(Code.EVIDENCE_MISMATCH, ENTRIES, "the manifest counts other entries")
    return history


def _checkpoints(
    archive: EvidenceArchive, manifest: Mapping[str, Any], vkeys: Sequence[str], history: History
) -> dict[int, tuple[str, str]]:
    """By year, the note of the checkpoint and the key that it verifies with."""
    notes: dict[int, tuple[str, str]] = {}
    for each in as_list(as_object(manifest.get("custody"), ENTRIES).get("logs"), ENTRIES):
        log = as_object(each, ENTRIES)
        shard, origin, name = _whole(log.get("shard")), str(log.get("origin")), str(log.get("checkpoint"))
        note = archive.read(name, _MOST_NOTE).decode(errors="replace")
        candidates = [vkey for vkey in vkeys if parse_vkey(vkey).name == origin]
        if not candidates:
            raise VerificationError(Code.WRONG_KEY, name, f"no public key of the log {origin!r} was given")
        vkey = _which(note, candidates)
        checkpoint = open_checkpoint(note, parse_vkey(vkey))
        if not origin.endswith(f"/{shard}") or checkpoint.size != log.get("size") or shard in notes:
            raise VerificationError(Code.EVIDENCE_MISMATCH, name, "not the log that the manifest names")
        notes[shard] = (note, vkey)
        history.checkpoints[shard] = checkpoint
    return notes


def _which(note: str, vkeys: Sequence[str]) -> str:
    """The key that signed it; the last one's error, if none did. A log may have had several."""
    for vkey in vkeys[:-1]:
        try:
            open_checkpoint(note, parse_vkey(vkey))
        except VerificationError:
            continue
        return vkey
    return vkeys[-1]


def _proof(item: Mapping[str, Any], note: str) -> str:
    """The entry's path as a tlog-proof against the note."""
    path = [str(each) for each in as_list(item.get("path"), ENTRIES)]
    if any(len(base64.b64encode(b" " * 32)) != len(each) for each in path):
        raise VerificationError(Code.MALFORMED, ENTRIES, "a path is not made of hashes")
    return "\n".join(["c2sp.org/tlog-proof@v1", f"index {item.get('index')}", *path, "", note])


def _note(history: History, manifest: Mapping[str, Any], entry: Mapping[str, Any] | None) -> None:
    """Takes in what an entry says, if it is about this call."""
    if entry is None:
        history.erased += 1
        return
    told = (entry.get("tenant_id"), entry.get("call_id"))
    if told != (manifest.get("tenant_id"), manifest.get("call_id")):
        raise VerificationError(Code.EVIDENCE_MISMATCH, ENTRIES, "an entry is about another call")
    action, detail = str(entry.get("action")), as_object(entry.get("detail"), ENTRIES)
    service = str(entry.get("source", "")).partition("/")[0]
    history.actions[action] = history.actions.get(action, 0) + 1
    if (action, service) == (_SEALED, "ingest"):
        history.sealed.append(detail)
    elif (action, service) == (_TRANSCRIBED, "transcribe"):
        history.transcripts.add(str(detail.get("plaintext_sha256")))
    elif (action, service) == (_OPENED, "access") and entry.get("entry_id") == manifest.get("opened_entry"):
        history.opened = entry


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise VerificationError(Code.MALFORMED, ENTRIES, f"{value!r} is no number of a year or an entry")
    return value
