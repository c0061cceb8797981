"""What is read: a range of a recording's bytes, or a transcript in some form."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable
from itertools import chain
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from otokura.access.errors import NotReady
from otokura.access.reads.delivery import Delivery, failed, watched
from otokura.access.reads.gate import OpenedRead, Permit, open_read, require_manifest
from otokura.access.reads.rendering import TranscriptFormat, render
from otokura.access.state import AccessState
from otokura.shared.errors import IntegrityError, NotFound
from otokura.shared.keys import Kind, associated_data, derive
from otokura.shared.manifest import Manifest
from otokura.shared.ranges import ByteRange, parse_range
from otokura.shared.sealed_objects import SealedObject, open_recording
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


async def deliver_transcript(state: AccessState, permit: Permit, form: TranscriptFormat) -> Delivery:
    """The transcript in a format.

    Raises:
        NotReady: there is no transcript (yet).
        Unavailable: the entry was not acknowledged, or the store or the key provider is away.
        IntegrityError: the key or the object is not what was stored.
    """
    manifest = require_manifest(permit)
    row = permit.row
    if row["transcript"] is None:
        why = row["transcript_failure"]
        raise NotReady(f"There is no transcript: {why}." if why else "The transcript is not ready yet.")
    opened = await open_read(state, permit, manifest, {"kind": "transcript", "format": form.value})
    try:
        transcript = await _transcript(opened, row["transcript"])
        body = render(transcript, form)
    except BaseException as error:
        opened.close(failed(error, opened), 0)
        raise
    headers = {"Content-Type": f"{form.media_type}; charset=utf-8", "Vary": "Accept"}
    if transcript.language:
        headers["Content-Language"] = transcript.language
    return Delivery(opened, _once(body), len(body), headers=headers)


async def _transcript(opened: OpenedRead, event: dict[str, Any]) -> Transcript:
    manifest = opened.manifest
    size = int(event["plaintext_bytes"])
    stored = _sealed_transcript(opened.state, manifest, await opened.unwrap(), event, size)
    plaintext = await _stored(stored.read(0, size))
    if not hmac.compare_digest(hashlib.sha256(plaintext).hexdigest(), str(event["plaintext_sha256"])):
        raise IntegrityError("The transcript is not the one that was announced.")
    try:
        transcript = Transcript.model_validate_json(plaintext)
    except ValidationError:
        # Without its cause, which quotes the text.
        raise IntegrityError("The transcript does not have the form of one.") from None
    _check_call(transcript, manifest.call_id)
    return transcript


def _sealed_transcript(
    state: AccessState, manifest: Manifest, dek: bytes, event: dict[str, Any], size: int
) -> SealedObject:
    ids = (manifest.tenant_id, manifest.call_id)
    return SealedObject(
        state.store,
        event["bucket"],
        event["object"],
        key=derive(dek, Kind.TRANSCRIPT, manifest.call_id),
        associated_data=associated_data(*ids, Kind.TRANSCRIPT, version=int(event["version"])),
        plaintext_bytes=size,
    )


def _check_call(transcript: Transcript, call_id: UUID) -> None:
    if transcript.call_id != call_id:
        raise IntegrityError("The transcript belongs to another call.")
