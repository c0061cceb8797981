"""What is read: a range of a recording's bytes, or a transcript in some form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from itertools import chain
from typing import Any

from otokura.access.errors import NotReady
from otokura.access.policy.cedar import PolicyAction
from otokura.access.reads import repository
from otokura.access.reads.delivery import Delivery, failed, watched
from otokura.access.reads.gate import OpenedRead, Permit, open_read, require_manifest
from otokura.access.reads.rendering import TranscriptFormat, render
from otokura.access.reads.stored import stored_transcript
from otokura.access.reads.vcon import Source
from otokura.access.reads.views import View
from otokura.access.state import AccessState
from otokura.shared.errors import IntegrityError, NotFound
from otokura.shared.events import TranscriptCompleted
from otokura.shared.ranges import ByteRange, parse_range
from otokura.shared.redacted import redacted
from otokura.shared.sealed_objects import open_recording
from otokura.shared.transcripts import Transcript

_AT_ONCE_BYTES = 1024 * 1024
"""Ranges up to this are opened whole before the first byte leaves, so that a failure is a clean problem."""


async def deliver_audio(
    state: AccessState, permit: Permit, *, range_header: str | None, if_range: str | None, head: bool
) -> Delivery:
    """The recording, or the range of it that was asked for (RFC 9110 §14).

    Raises:
        NotReady: there is no recording.
        RangeNotSatisfiable: the range lies outside the recording.
        Unavailable: the entry was not acknowledged, or the store or the key provider is away.
        IntegrityError: the key or the object is not what was stored.
    """
    manifest = require_manifest(permit)
    size, etag = manifest.recording.plaintext_bytes, f'"{manifest.recording.plaintext_sha256}"'
    asked = parse_range(range_header, size, if_range=if_range, etag=etag)
    span = asked or ByteRange(0, size, size)
    about = {"kind": "audio", "range": {"start": span.start, "stop": span.stop, "size": size}}
    opened = await open_read(state, permit, manifest, about | ({"method": "HEAD"} if head else {}))
    headers = {"Content-Type": manifest.recording.media_type, "Accept-Ranges": "bytes", "ETag": etag}
    if asked is not None:
        headers["Content-Range"] = asked.content_range
    try:
        chunks = _nothing() if head else await _audio(opened, span)
    except BaseException as error:
        opened.close(failed(error, opened), 0)
        raise
    return Delivery(opened, chunks, span.length, status=206 if asked else 200, headers=headers, head=head)


async def _audio(opened: OpenedRead, span: ByteRange) -> AsyncIterator[bytes]:
    """The plaintext; the beginning of it is authentic before this returns."""
    state, dek = opened.state, await opened.unwrap()
    recording = open_recording(state.store, opened.manifest, dek, state.headers)
    if span.length <= _AT_ONCE_BYTES:
        return _once(await _stored(recording.read(span.start, span.length)))
    stream = recording.stream(span.start, span.stop)
    first = await _stored(anext(stream))
    return watched(opened, _after(first, stream))


async def _stored(reading: Awaitable[bytes]) -> bytes:
    """What is read from the store. That it is gone is no reason to say that it never was.

    Raises:
        IntegrityError: the object that the manifest names is not there.
    """
    try:
        return await reading
    except NotFound as error:
        raise IntegrityError("The stored object is gone.") from error


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def _once(chunk: bytes) -> AsyncIterator[bytes]:
    if chunk:
        yield chunk


async def _nothing() -> AsyncIterator[bytes]:
    for chunk in chain[bytes]():
        yield chunk


async def deliver_transcript(
    state: AccessState, permit: Permit, form: TranscriptFormat, version: int | None = None
) -> Delivery:
    """The transcript in a format: the newest, or the version that is asked for.

    It is redacted when that is what the permit is for.

    Raises:
        NotFound: there is no such version.
        NotReady: there is no transcript (yet), or it was made before transcripts were searched for what to
            redact, and the permit is for a redacted one.
        Unavailable: the entry was not acknowledged, or the store or the key provider is away.
        IntegrityError: the key or the object is not what was stored.
    """
    manifest = require_manifest(permit)
    ids = {"call_id": manifest.call_id, "tenant_id": manifest.tenant_id}
    announced = TranscriptCompleted.model_validate({**await _announced(state, permit, version), **ids})
    without = permit.request.action is PolicyAction.READ_REDACTED
    about = {
        "kind": "transcript",
        "view": (View.REDACTED if without else View.RAW).value,
        "format": form.value,
        "version": announced.version,
    }
    opened = await open_read(state, permit, manifest, about)
    try:
        transcript = await stored_transcript(state.store, await opened.unwrap(), announced)
        if without:
            transcript = _redacted(transcript)
        source = Source(manifest, announced.version, announced.completed_at, redacted=without)
        body = render(transcript, form, source)
    except BaseException as error:
        opened.close(failed(error, opened), 0)
        raise
    headers = {
        "Content-Type": f"{form.media_type}; charset=utf-8",
        "Content-Disposition": f'inline; filename="{manifest.call_id}.{form.suffix}"',
        "Vary": "Accept",
    }
    if transcript.language:
        headers["Content-Language"] = transcript.language
    return Delivery(opened, _once(body), len(body), headers=headers)


def _redacted(transcript: Transcript) -> Transcript:
    if transcript.redactions is None:
        raise NotReady(
            "This transcript was made before transcripts were searched for what to redact: an administrator "
            "can have the recording transcribed again."
        )
    return redacted(transcript)


async def _announced(state: AccessState, permit: Permit, version: int | None) -> dict[str, Any]:
    """The event of the version that is to be read."""
    row = permit.row
    if row["transcript"] is None:
        why = row["transcript_failure"]
        raise NotReady(f"There is no transcript: {why}." if why else "The transcript is not ready yet.")
    if version is None:
        newest: dict[str, Any] = row["transcript"]
        return newest
    found = await repository.version(state.database, row["tenant_id"], row["call_id"], version)
    if found is None:
        raise NotFound("The transcript has no such version: GET …/transcripts lists those that there are.")
    return found
