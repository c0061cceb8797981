"""A call as a vCon, the IETF's container for conversations: draft-ietf-vcon-vcon-core-04, unsigned form.

Bundles of evidence hold its signed form (`otokura.access.evidence.signing`), which names its audio file.

Parties are the channels, with the roles of the contact centre extension (draft-ietf-vcon-cc-extension). The
one dialog is the recording, without its audio: it is read by itself, and no address of a store leaves. What
Whisper and our rules made of it are analyses. No number and no name stands here but those that were spoken.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from otokura.shared.events import Channel, ChannelRole, Direction
from otokura.shared.manifest import Manifest
from otokura.shared.transcripts import Transcript

SYNTAX = "0.4.0"
VENDOR = "Otokura"
_MS_PER_SECOND = 1000
_WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class AudioFile:
    """The recording's file, where it lies beside the vCon.

    Attributes:
        name: of the file, from the folder that holds both.
        sha512: of its bytes.
        bundle: what it is part of: a vCon of its own, with an id of its own.
    """

    name: str
    sha512: bytes
    bundle: UUID


@dataclass(frozen=True, slots=True)
class Source:
    """What an export says of its transcript beside the transcript.

    Attributes:
        manifest: of the recording.
        version: of the transcript.
        completed_at: when that version was.
        redacted: whether personal data were taken out of it.
        audio: the recording's file, where there is one.
    """

    manifest: Manifest
    version: int
    completed_at: datetime
    redacted: bool = False
    audio: AudioFile | None = None


def vcon(transcript: Transcript | None, source: Source) -> str:
    """The vCon as JSON. The same version gives the same bytes each time.

    A redacted one refers, by id alone, to the one that is not.
    """
    manifest = source.manifest
    document: dict[str, Any] = {
        "vcon": SYNTAX,
        "uuid": str(_id(manifest.call_id, source.version, _form(source))),
        "extensions": ["CC"],
        "created_at": _date(source.completed_at),
        "parties": [_party(channel) for channel in manifest.channels],
        "dialog": [_dialog(manifest, source.audio)],
        "analysis": [] if transcript is None else _analyses(transcript),
    }
    if source.redacted:
        whole = _id(manifest.call_id, source.version, _WHOLE)
        document["redacted"] = {"uuid": str(whole), "type": "personal data"}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _party(channel: Channel) -> dict[str, Any]:
    party: dict[str, Any] = {"type": "person"}
    if channel.role is not ChannelRole.MIXED:
        party["role"] = channel.role.value
    return party


def _form(source: Source) -> str:
    if source.audio is not None:
        return f"evidence:{source.audio.bundle}"
    return "redacted" if source.redacted else _WHOLE


def _dialog(manifest: Manifest, audio: AudioFile | None) -> dict[str, Any]:
    roles = [channel.role for channel in manifest.channels]
    caller = ChannelRole.CUSTOMER if manifest.direction is Direction.INBOUND else ChannelRole.AGENT
    dialog: dict[str, Any] = {
        "type": "recording",
        "start": _date(manifest.started_at),
        "duration": manifest.duration_ms / _MS_PER_SECOND,
        "parties": list(range(len(roles))),
        "mediatype": manifest.recording.media_type,
    }
    # The first party is the originator where nothing else is said (§4.3.4).
    if caller in roles and roles.index(caller):
        dialog["originator"] = roles.index(caller)
    if audio is not None:
        digest = base64.urlsafe_b64encode(audio.sha512).rstrip(b"=").decode()
        dialog |= {"filename": audio.name, "content_hash": f"sha512-{digest}"}
    return dialog


def _analyses(transcript: Transcript) -> list[dict[str, Any]]:
    stored = transcript.model_dump(mode="json", exclude={"signals", "summary"})
    found = [_analysis("transcript", transcript, "otokura.transcript.v1", stored)]
    if transcript.summary is not None:
        found.append(
            _analysis("summary", transcript, "otokura.summary.v1", transcript.summary.model_dump(mode="json"))
        )
    if transcript.signals is not None:
        found.append(
            _analysis("report", transcript, "otokura.signals.v1", transcript.signals.model_dump(mode="json"))
        )
    return found


def _analysis(kind: str, transcript: Transcript, schema: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": kind,
        "dialog": 0,
        "mediatype": "application/json",
        "vendor": VENDOR,
        "product": f"{transcript.engine}, {transcript.model}",
        "schema": schema,
        "encoding": "json",
        "body": body,
    }


def _id(call_id: UUID, version: int, form: str) -> UUID:
    """A UUID of version 8 (RFC 9562 §5.8): the call's time, then what tells its exports apart."""
    told = hashlib.sha256(f"otokura:vcon:{call_id}:{version}:{form}".encode()).digest()
    value = bytearray(call_id.bytes[:6] + told[:10])
    value[6] = 0x80 | value[6] & 0x0F
    value[8] = 0x80 | value[8] & 0x3F
    return UUID(bytes=bytes(value))


def _date(moment: datetime) -> str:
    """RFC 3339, UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
