"""Verifies a bundle of evidence: that all of it is what was signed, and what the log says of the call.

Offline, with public keys alone: those of the logs, and those of the services that wrote the entries. Nothing
in the bundle is believed because it is there: the container is verified first, then the manifest, then each
file, and then that they say of each other what the log says of them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from otokura.cli.verify.cosignatures import Witnesses
from otokura.cli.verify.evidence_archive import Content, EvidenceArchive
from otokura.cli.verify.evidence_history import History, verify_history
from otokura.cli.verify.evidence_stamp import TIMESTAMP, Stamp, verify_stamp
from otokura.cli.verify.evidence_vcon import verify_vcon
from otokura.cli.verify.findings import Code, VerificationError
from otokura.cli.verify.strict_json import as_object, as_objects, strict_object

TYPE = "otokura.evidence.v1"
MANIFEST, SIGNATURE, RECORDING = "manifest.json", "manifest.json.sig", "recording.json"
_DOMAIN = b"otokura.evidence-manifest.v1\n"
_TRANSCRIPT, _PLAYABLE = "transcript/transcript.json", "audio/playable.wav"
_RECEIVED = "audio/received."
_NAMES = re.compile(
    r"README\.txt|summary\.pdf|recording\.json|vcon\.json|audio/received\.[0-9a-z]{1,8}|audio/playable\.wav"
    r"|transcript/transcript\.(?:json|txt)|custody/entries\.jsonl|custody/checkpoint-[0-9]{4}\.txt"
)
"""What a bundle of this version may hold beside manifest, signature and timestamp."""
_LONGEST_MAKING = timedelta(hours=1)
"""From the entry that says that it was asked for, by the same clock, to its own time."""
_MOST_MANIFEST = 4 << 20


@dataclass(frozen=True)
class Evidence:
    """What a bundle proves.

    Attributes:
        evidence_id, call_id: the bundle's id, and the call's.
        made_by, reason: by whom (name and id) and why it was made, as the log says too.
        made_at: when, as access says: within an hour after the log says that it was asked for.
        files: how many it holds, all of them verified.
        audio_sha256: of the audio as it was received; None when there is none.
        history: what the log says of the call.
        missing: what is not in it, as it says itself: what, and why.
        stamp: the timestamp; None when there is none.
        stamp_missing: why there is none.
        unbound: what only access says is the call's, since the log's details of it are gone.
    """

    evidence_id: str
    call_id: str
    made_at: str
    made_by: str
    reason: str
    files: int
    audio_sha256: str | None
    history: History
    missing: Mapping[str, str] = field(default_factory=dict[str, str])
    stamp: Stamp | None = None
    stamp_missing: str | None = None
    unbound: tuple[str, ...] = ()


def verify_evidence(
    path: Path,
    vkeys: Sequence[str],
    source_keys: Mapping[str, str],
    tsa_roots: Sequence[bytes] = (),
    *,
    witnesses: Witnesses | None = None,
    details_expired: bool = False,
) -> Evidence:
    """Verifies a bundle as `POST /v1/calls/{id}/evidence` gives it.

    Args:
        path: of the file.
        vkeys: public keys of the logs (one a year) in which the history stands.
        source_keys: by service, base64 of its Ed25519 public key.
        tsa_roots: certificates (PEM) of the authorities whose timestamps are believed.
        witnesses: who must have cosigned the tree in which the history stands, of each year.
        details_expired: accept that the log says no more what was sealed and transcribed, where the details
            of entries are gone. Whoever leaves details out can then put in other audio, with access's key.

    Raises:
        VerificationError: what does not hold, by name.
        OSError: the file cannot be read.
    """
    key = access_key(source_keys)
    with EvidenceArchive(path, key) as archive:
        raw = archive.read(MANIFEST, _MOST_MANIFEST)
        _check_signature(archive, raw, key)
        manifest = strict_object(raw, MANIFEST)
        if manifest.get("type") != TYPE:
            raise VerificationError(Code.MALFORMED, MANIFEST, f"not a {TYPE}")
        contents = _files(archive, manifest)
        history = verify_history(archive, manifest, vkeys, source_keys, witnesses)
        _check_opened(manifest, history)
        received = _check_recording(archive, manifest, contents)
        unbound = _unbound(contents, received, history)
        _check_bound(unbound, history, details_expired=details_expired)
        audio = None if received is None else contents[received]
        verify_vcon(archive, key, received, None if audio is None else audio.sha512)
        stamp = verify_stamp(archive, manifest, raw, tsa_roots)
    told, maker = (as_object(manifest.get(name), MANIFEST) for name in ("timestamp", "made_by"))
    return Evidence(
        evidence_id=str(manifest.get("evidence_id")),
        call_id=str(manifest.get("call_id")),
        made_at=str(manifest.get("made_at")),
        made_by=f"{maker.get('name')} ({maker.get('id')})",
        reason=str(manifest.get("reason")),
        files=len(contents),
        audio_sha256=None if audio is None else audio.sha256,
        history=history,
        missing={
            str(it.get("what")): str(it.get("why")) for it in as_objects(manifest.get("missing"), MANIFEST)
        },
        stamp=stamp,
        stamp_missing=None if stamp is not None else str(told.get("why")),
        unbound=unbound,
    )


def access_key(source_keys: Mapping[str, str]) -> Ed25519PublicKey:
    """The key that signs bundles.

    Raises:
        VerificationError: it was not given, or is none.
    """
    if "access" not in source_keys:
        raise VerificationError(Code.EVIDENCE_SIGNATURE, MANIFEST, "no public key of 'access' was given")
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(source_keys["access"], validate=True))
    except (binascii.Error, ValueError) as error:
        raise VerificationError(Code.WRONG_KEY, "source keys", "access: no Ed25519 key") from error


def _check_signature(archive: EvidenceArchive, raw: bytes, key: Ed25519PublicKey) -> None:
    """The detached signature beside the manifest, for who takes the archive apart and keeps the files."""
    text = archive.read(SIGNATURE, 200)
    try:
        signature = base64.b64decode(text.removesuffix(b"\n"), validate=True)
        if base64.b64encode(signature) + b"\n" != text:
            raise ValueError("not canonical")  # noqa: TRY301 - one reason as good as the other
        key.verify(signature, _DOMAIN + raw)
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise VerificationError(Code.EVIDENCE_SIGNATURE, SIGNATURE, "access did not sign it") from error


def _files(archive: EvidenceArchive, manifest: Mapping[str, Any]) -> dict[str, Content]:
    """Every file but manifest, signature and timestamp: that it is there, and what the manifest says."""
    files = as_objects(manifest.get("files"), MANIFEST)
    listed = {str(it.get("name")): it for it in files}
    odd = sorted(name for name in listed if _NAMES.fullmatch(name) is None)
    if odd or len(listed) != len(files):
        raise VerificationError(
            Code.EVIDENCE_MISMATCH, MANIFEST, f"files that no bundle has, or twice: {odd}"
        )
    beside = {MANIFEST, SIGNATURE, *(name for name in archive.members if name == TIMESTAMP)}
    if set(archive.members) != set(listed) | beside or set(listed) & beside:
        odd = sorted(set(archive.members) ^ (set(listed) | beside))
        raise VerificationError(Code.EVIDENCE_MISMATCH, MANIFEST, f"not the files of the bundle: {odd}")
    contents: dict[str, Content] = {}
    for name, told in listed.items():
        content = contents[name] = archive.measure(name)
        if (told.get("bytes"), told.get("sha256")) != (content.size, content.sha256):
            raise VerificationError(Code.EVIDENCE_MISMATCH, name, "not what the manifest says")
    return contents


def _check_opened(manifest: Mapping[str, Any], history: History) -> None:
    """The log says who asked for this bundle, and why, before it was made."""
    entry = history.opened
    if entry is None:
        raise VerificationError(Code.EVIDENCE_MISMATCH, MANIFEST, "no entry says that it was asked for")
    detail = as_object(entry.get("detail"), MANIFEST)
    told = (detail.get("action"), detail.get("read_id"), detail.get("reason"), entry.get("reader"))
    maker = as_object(manifest.get("made_by"), MANIFEST)
    said = ("make-evidence", manifest.get("evidence_id"), manifest.get("reason"), maker.get("id"))
    if told != said or detail.get("name") != maker.get("name"):
        raise VerificationError(Code.EVIDENCE_MISMATCH, MANIFEST, "the log names another maker, or reason")
    asked, made = _time(entry.get("time")), _time(manifest.get("made_at"))
    if not asked <= made <= asked + _LONGEST_MAKING:
        raise VerificationError(Code.EVIDENCE_MISMATCH, MANIFEST, "the log says that it was asked for then")


def _unbound(contents: Mapping[str, Content], received: str | None, history: History) -> tuple[str, ...]:
    """What no entry has the hash of. Where an entry has another one, that it is there is no excuse."""
    digests = (contents[RECORDING].sha256, None if received is None else contents[received].sha256)
    sealed = [(it.get("manifest_sha256"), it.get("plaintext_sha256")) for it in history.sealed]
    known = any(it[0] == digests[0] and digests[1] in {None, it[1]} for it in sealed)
    if history.sealed and not known:
        raise VerificationError(Code.EVIDENCE_MISMATCH, RECORDING, "something else was sealed")
    spoken = contents.get(_TRANSCRIPT)
    if spoken is not None and history.transcripts and spoken.sha256 not in history.transcripts:
        raise VerificationError(Code.EVIDENCE_MISMATCH, _TRANSCRIPT, "no entry has its hash")
    missing = [] if known else [RECORDING, *([] if received is None else [received])]
    return (*missing, *([_TRANSCRIPT] if spoken is not None and not history.transcripts else []))


def _check_bound(unbound: Sequence[str], history: History, *, details_expired: bool) -> None:
    """All is bound by the log, or what bound it is gone and that is accepted."""
    if unbound and not (details_expired and history.erased):
        gone = " (any more: see --details-expired)" if history.erased else ""
        raise VerificationError(
            Code.EVIDENCE_MISMATCH, unbound[0], f"no entry says that it is the call's{gone}"
        )


def _check_recording(
    archive: EvidenceArchive, manifest: Mapping[str, Any], contents: Mapping[str, Content]
) -> str | None:
    """The audio is that of `recording.json`, and the manifest says what stands there; the audio's file."""
    recording = strict_object(archive.read(RECORDING, _MOST_MANIFEST), RECORDING)
    stored = as_object(recording.get("recording"), RECORDING)
    told = as_object(manifest.get("recording"), MANIFEST)
    names = [name for name in contents if name.startswith(_RECEIVED)]
    ids = [(it.get("tenant_id"), it.get("call_id")) for it in (recording, manifest)]
    said = (told.get("manifest_sha256"), told.get("audio_sha256"), told.get("notice"), _purposes(told))
    expected = (
        contents[RECORDING].sha256,
        stored.get("plaintext_sha256"),
        recording.get("notice"),
        recording.get("purposes"),
    )
    if ids[0] != ids[1] or said != expected or not _same_times(told, recording):
        raise VerificationError(
            Code.EVIDENCE_MISMATCH, MANIFEST, "it says something else than what was sealed"
        )
    if len(names) > 1 or (_PLAYABLE in contents and not names):
        raise VerificationError(Code.EVIDENCE_MISMATCH, MANIFEST, "more than one recording, or none to play")
    for name in names:
        size, digest = contents[name].size, contents[name].sha256
        if (size, digest) != (stored.get("plaintext_bytes"), stored.get("plaintext_sha256")):
            raise VerificationError(Code.EVIDENCE_MISMATCH, name, "not the audio that was sealed")
    return names[0] if names else None


def _purposes(told: Mapping[str, Any]) -> list[object]:
    return [it.get("name") for it in as_objects(told.get("purposes"), MANIFEST)]


def _same_times(told: Mapping[str, Any], recording: Mapping[str, Any]) -> bool:
    try:
        times = [
            [datetime.fromisoformat(str(it.get(name))) for name in ("started_at", "ended_at")]
            for it in (told, recording)
        ]
        return times[0] == times[1] and told.get("duration_ms") == recording.get("duration_ms")
    except (TypeError, ValueError):
        return False


def _time(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise VerificationError(Code.MALFORMED, MANIFEST, "not a time") from error
    if at.tzinfo is None:
        raise VerificationError(Code.MALFORMED, MANIFEST, "a time without its offset")
    return at
