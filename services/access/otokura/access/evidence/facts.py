"""What a bundle says of itself: its manifest, and what README and summary are written from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from otokura.access.evidence.custody import Told, Tree
from otokura.access.lifecycle.archive import Member
from otokura.shared.events import TenantSettings
from otokura.shared.manifest import Manifest

TYPE = "otokura.evidence.v1"
MANIFEST, SIGNATURE, TIMESTAMP = "manifest.json", "manifest.json.sig", "manifest.json.tsr"
RECORDING, ENTRIES, VCON = "recording.json", "custody/entries.jsonl", "vcon.json"
README, SUMMARY = "README.txt", "summary.pdf"
_SUFFIXES = {
    "audio/aac": "aac",
    "audio/aiff": "aiff",
    "audio/amr": "amr",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/webm": "webm",
    "audio/x-matroska": "mka",
    "audio/x-wav": "wav",
}


@dataclass(frozen=True, slots=True)
class Timestamp:
    """What came of asking a time-stamping authority (RFC 3161).

    Attributes:
        authority: its address; None when none is configured.
        why: why there is no timestamp; None when there is one.
    """

    authority: str | None
    why: str | None

    def told(self) -> dict[str, Any]:
        """As the manifest says it."""
        if self.why is None:
            return {"authority": self.authority, "file": TIMESTAMP, "hash": "sha-256"}
        return {"authority": self.authority, "file": None, "why": self.why}


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is told of a bundle, once its contents are written.

    Attributes:
        evidence_id: the bundle's own id.
        made_at: when it was begun.
        made_by: id and name of who asked for it.
        reason: why, in their words.
        opened: the id of the entry that says that it was asked for.
        manifest: of the recording.
        manifest_sha256: of its canonical form.
        settings: of the tenant: what its purposes mean.
        trees: the logs that the history is proved in.
        told: the history in numbers.
        public_key: of access, base64: what the bundle is signed with.
        missing: what is not in it: what, and why.
        members: its files but manifest, signature and timestamp.
    """

    evidence_id: UUID
    made_at: datetime
    made_by: Mapping[str, str]
    reason: str
    opened: UUID
    manifest: Manifest
    manifest_sha256: str
    settings: TenantSettings
    trees: Sequence[Tree]
    told: Told
    public_key: str
    missing: Mapping[str, str] = field(default_factory=dict[str, str])
    members: Sequence[Member] = ()

    def purposes(self) -> list[dict[str, str]]:
        """What the caller was told that the recording is for, in the tenant's words of now."""
        labels = {purpose.name: purpose for purpose in self.settings.purposes}
        return [
            {"name": name, "label_ja": labels[name].label_ja, "label_en": labels[name].label_en}
            if name in labels
            else {"name": name}
            for name in self.manifest.purposes
        ]


def manifest_bytes(facts: Facts, timestamp: Timestamp) -> bytes:
    """The manifest, as it is signed: every other file by name, size and SHA-256."""
    recording = facts.manifest
    told = {
        "type": TYPE,
        "evidence_id": str(facts.evidence_id),
        "tenant_id": str(recording.tenant_id),
        "call_id": str(recording.call_id),
        "made_at": facts.made_at.isoformat(),
        "made_by": dict(facts.made_by),
        "reason": facts.reason,
        "opened_entry": str(facts.opened),
        "recording": {
            "manifest_sha256": facts.manifest_sha256,
            "audio_sha256": recording.recording.plaintext_sha256,
            "started_at": recording.started_at.isoformat(),
            "ended_at": recording.ended_at.isoformat(),
            "duration_ms": recording.duration_ms,
            "notice": recording.notice.model_dump(mode="json"),
            "purposes": facts.purposes(),
        },
        "missing": [{"what": what, "why": why} for what, why in facts.missing.items()],
        "custody": {
            "entries": facts.told.entries,
            "erased": facts.told.erased,
            "logs": [
                {
                    "shard": tree.shard,
                    "origin": tree.origin,
                    "size": tree.size,
                    "key": tree.key,
                    "checkpoint": checkpoint_name(tree),
                }
                for tree in facts.trees
            ],
        },
        "signed_by": {"service": "access", "ed25519": facts.public_key},
        "timestamp": timestamp.told(),
        "files": [
            {"name": member.name, "bytes": member.bytes, "sha256": member.sha256} for member in facts.members
        ],
    }
    return json.dumps(told, ensure_ascii=False, indent=1).encode()


def checkpoint_name(tree: Tree) -> str:
    """The file of a year's checkpoint."""
    return f"custody/checkpoint-{tree.shard}.txt"


def audio_name(media_type: str) -> str:
    """The file of the audio as it was received."""
    return f"audio/received.{_SUFFIXES.get(media_type, 'bin')}"
