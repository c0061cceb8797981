"""Calls whose audio is known sample by sample, and of which stretches are redacted."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlparse
from uuid import UUID

import httpx
import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from access_audit import run
from access_calls import Call, store_transcript, transcript_of
from access_service import OFFICE, Access, Person, Tenant
from otokura.shared.events import Channel, ChannelRole, KeyWrapped, RecordingSealed, TranscriptCompleted
from otokura.shared.keys import KeyContext, KeyUse, WrappedDek
from otokura.shared.manifest import Manifest
from otokura.shared.media.flac import FlacWriter
from otokura.shared.redactions import Redaction, RedactionKind
from otokura.shared.transcripts import Transcript

RATE = 8000
Samples = NDArray[np.int16]
Hidden = Sequence[tuple[int, int, int]]
"""Channel, and the milliseconds from which and to which it is redacted."""
REDACTED = {"purpose": "quality", "view": "redacted"}
_ROLES = (ChannelRole.AGENT, ChannelRole.CUSTOMER)


def noise(seconds: float, channels: int = 2, rate: int = RATE) -> Samples:
    """Samples of which none is 0, so that silence can be told."""
    samples = np.random.default_rng(5).integers(1, 9000, (int(seconds * rate), channels), dtype="<i2")
    samples[::2] *= -1
    return samples


def flac(samples: Samples, rate: int = RATE) -> bytes:
    """The file that ingest would seal."""
    writer = FlacWriter(rate, samples.shape[1])
    frames = writer.write(samples.tobytes()) + writer.finish()
    return writer.header() + frames


def clicks(minutes: int) -> bytes:
    """A file of silence with a click in each channel every second: long, and small to keep."""
    minute = np.zeros((60 * RATE, 2), "<i2")
    minute[::RATE] = 1
    writer = FlacWriter(RATE, 2)
    frames = [writer.write(minute.tobytes()) for _ in range(minutes)]
    frames.append(writer.finish())
    return writer.header() + b"".join(frames)


def wav_samples(file: bytes, rate: int = RATE) -> Samples:
    """The samples of a WAV file, read by libsndfile."""
    found, found_rate = soundfile.read(io.BytesIO(file), dtype="int16", always_2d=True)
    assert found_rate == rate
    return np.asarray(found, np.int16)


def without(samples: Samples, hidden: Hidden, rate: int = RATE) -> Samples:
    """The samples, with silence where something is redacted."""
    silent = samples.copy()
    for channel, start_ms, end_ms in hidden:
        silent[start_ms * rate // 1000 : -(-end_ms * rate // 1000), channel] = 0
    return silent


def redacting(hidden: Hidden | None) -> Callable[[UUID], Transcript]:
    """Makes a transcript of one turn a channel that redacts these stretches; None: nobody searched it."""

    def said(call_id: UUID) -> Transcript:
        plain = transcript_of(call_id)
        if hidden is None:
            return plain
        turns = [turn.model_copy(update={"text": "数" * (2 * len(hidden) + 1)}) for turn in plain.turns]
        found = [
            Redaction(
                turn=channel,
                start=2 * number,
                end=2 * number + 1,
                kind=RedactionKind.CARD_NUMBER,
                start_ms=start_ms,
                end_ms=end_ms,
            )
            for number, (channel, start_ms, end_ms) in enumerate(hidden)
        ]
        return plain.model_copy(update={"turns": turns, "redactions": found})

    return said


def recorded(
    tenant: Tenant, file: bytes, hidden: Hidden | None, *, samples: int, channels: int = 2, **about: Any
) -> Call:
    """A call with this recording. `about` are fields of its manifest, and `agent_id` of the call itself."""
    of_call = {name: about.pop(name) for name in ("agent_id",) if name in about}
    roles = [Channel(role=role) for role in (_ROLES if channels == 2 else (ChannelRole.MIXED,))]
    call = tenant.call(audio=file, said=redacting(hidden), channels=roles, **of_call)
    return resealed(tenant.access, call, samples=samples, **about)


def resealed(access: Access, call: Call, **about: Any) -> Call:
    """The same recording, of which the manifest says this."""
    media_type = about.pop("media_type", call.manifest.recording.media_type)
    stored = call.manifest.recording.model_copy(update={"media_type": media_type})
    manifest = Manifest.model_validate({**call.manifest.model_dump(), **about, "recording": stored})
    before = [event for event in call.events if isinstance(event, RecordingSealed)][-1]
    sealed = before.model_copy(
        update={
            "version": before.version + 1,
            "manifest": manifest.model_dump(mode="json"),
            "manifest_sha256": manifest.sha256(),
        }
    )
    access.apply(sealed)
    return replace(call, manifest=manifest, events=(*call.events, sealed))


def transcribed_again(
    access: Access, call: Call, hidden: Hidden | None, version: int = 2
) -> TranscriptCompleted:
    """A newer transcript, which redacts these stretches."""
    newer = run(_another(access, call, redacting(hidden)(call.id), version))
    access.apply(newer)
    return newer


async def _another(access: Access, call: Call, transcript: Transcript, version: int) -> TranscriptCompleted:
    [key] = [event for event in call.events if isinstance(event, KeyWrapped)]
    [before] = [event for event in call.events if isinstance(event, TranscriptCompleted)]
    ids = (call.manifest.tenant_id, call.id)
    wrapped = WrappedDek(key.kek_id, key.wrapped)
    dek = await access.keys.unwrap(wrapped, KeyContext(*ids), KeyUse.READ, "test")
    async with access.store() as store:
        stored = await store_transcript(store, ids[0], dek, transcript, version)
    return TranscriptCompleted.model_validate({**before.model_dump(), **stored, "version": version})


def audio(access: Access, who: Person, call: Call, part: str | None = None, **params: str) -> httpx.Response:
    """The redacted recording, or the part of it that a Range header names."""
    headers = {"Range": part} if part else {}
    with access.client(who.token) as client:
        return client.get(f"/v1/calls/{call.id}/audio", params=REDACTED | params, headers=headers)


def opened(access: Access, response: httpx.Response) -> dict[str, Any]:
    """The entry that an answer names."""
    [entry] = access.audit.entries(entry_id=response.headers["Otokura-Entry-Id"])
    return entry


def slow_reader(access: Access, who: Person, call: Call) -> socket.socket:
    """A connection that asks for the redacted recording, and has so little room that access must wait."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    url = urlparse(access.url)
    connection.connect((url.hostname, url.port))
    request = (
        f"GET /v1/calls/{call.id}/audio?{urlencode(REDACTED)} HTTP/1.1\r\nHost: access\r\n"
        f"X-Forwarded-For: {OFFICE}\r\nAuthorization: Bearer {who.token}\r\n\r\n"
    )
    connection.sendall(request.encode())
    return connection
