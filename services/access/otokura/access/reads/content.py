"""What is read: a transcript in some form, or the bytes of a recording in one of its renditions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, TypeVar

from otokura.access.reads.closing import Outcome
from otokura.access.reads.counting import give_up
from otokura.access.reads.delivery import Delivery, failed, watched
from otokura.access.reads.gate import OpenedRead, Permit, open_read, require_manifest
from otokura.access.reads.rendering import TranscriptFormat, render
from otokura.access.reads.stored import announced_transcript, present, searched, stored_transcript
from otokura.access.reads.vcon import Source
from otokura.access.reads.views import View
from otokura.access.state import AccessState
from otokura.shared.errors import IntegrityError, NotFound
from otokura.shared.events import TranscriptCompleted
from otokura.shared.manifest import Manifest
from otokura.shared.policy.facts import PolicyAction
from otokura.shared.ranges import ByteRange, parse_range
from otokura.shared.redacted import redacted
from otokura.shared.sealed_objects import open_recording
from otokura.shared.transcripts import Transcript

T = TypeVar("T")

AT_ONCE_BYTES = 1024 * 1024
"""Ranges up to this are opened whole before the first byte leaves, so that a failure is a clean problem."""


class Rendition(Protocol):
    """A recording in one form, of which every byte has its place before any is there."""

    @property
    def manifest(self) -> Manifest:
        """Of the recording."""
        ...

    @property
    def media_type(self) -> str:
        """Of the form."""
        ...

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    @property
    def etag(self) -> str:
        """A strong entity tag, with its quotes: the same only for the same bytes."""
        ...

    @property
    def patience(self) -> float | None:
        """Seconds for which something may be held for a reader who takes nothing; None: nothing is held."""
        ...

    def about(self) -> dict[str, Any]:
        """What `read.opened` says of it."""
        ...

    async def begin(self, opened: OpenedRead, span: ByteRange | None) -> AsyncGenerator[bytes]:
        """The bytes, of which the first are there when this returns. None: what can go wrong, and no byte.

        Raises:
            NotReady: there is no such rendition.
            IntegrityError: the key or an object is not what was stored.
            Unavailable: the store or the key provider is away.
        """
        ...


@dataclass(frozen=True, slots=True)
class Portion:
    """Which part of a rendition is asked for, as HTTP says it (RFC 9110 §14)."""

    range_header: str | None = None
    if_range: str | None = None
    head: bool = False


async def deliver_audio(
    state: AccessState, permit: Permit, rendition: Rendition, portion: Portion
) -> Delivery:
    """The rendition, or the range of it that was asked for.

    Raises:
        NotReady: there is no such rendition.
        RangeNotSatisfiable: the range lies outside of it.
        Unavailable: the entry was not acknowledged, or the store or the key provider is away.
        IntegrityError: the key or an object is not what was stored.
    """
    size, etag = rendition.size, rendition.etag
    asked = parse_range(portion.range_header, size, if_range=portion.if_range, etag=etag)
    span = asked or ByteRange(0, size, size)
    about = rendition.about() | {"range": {"start": span.start, "stop": span.stop, "size": size}}
    method = {"method": "HEAD"} if portion.head else {}
    opened = await open_read(state, permit, rendition.manifest, about | method)
    headers = {"Content-Type": rendition.media_type, "Accept-Ranges": "bytes", "ETag": etag}
    if asked is not None:
        headers["Content-Range"] = asked.content_range
    chunks = await begun(opened, rendition.begin(opened, None if portion.head else span))
    return Delivery(
        opened,
        chunks,
        span.length,
        status=206 if asked else 200,
        headers=headers,
        head=portion.head,
        patience=rendition.patience,
    )


@dataclass(frozen=True, slots=True)
class RawRecording:
    """The recording to the byte, as it was sealed."""

    manifest: Manifest

    @property
    def media_type(self) -> str:
        """Of what was sealed."""
        return self.manifest.recording.media_type

    @property
    def size(self) -> int:
        """In bytes."""
        return self.manifest.recording.plaintext_bytes

    @property
    def etag(self) -> str:
        """The recording's hash."""
        return f'"{self.manifest.recording.plaintext_sha256}"'

    @property
    def patience(self) -> float | None:
        """A reader who takes nothing costs a megabyte."""
        return None

    def about(self) -> dict[str, Any]:
        """What `read.opened` says of it."""
        return {"kind": "audio", "view": View.RAW.value}

    async def begin(self, opened: OpenedRead, span: ByteRange | None) -> AsyncGenerator[bytes]:
        """The plaintext; the beginning of it is authentic before this returns."""
        if span is None:
            return nothing()
        state, dek = opened.state, await opened.unwrap()
        recording = open_recording(state.store, self.manifest, dek, state.headers)
        if span.length <= AT_ONCE_BYTES:
            return once(await present(recording.read(span.start, span.length)))
        stream = recording.stream(span.start, span.stop)
        return watched(opened, after(await present(anext(stream)), stream))


async def after(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """What was read ahead, and what follows it."""
    async with aclosing(rest):
        yield first
        async for chunk in rest:
            yield chunk


async def once(chunk: bytes) -> AsyncGenerator[bytes]:
    """One chunk, if it has anything."""
    if chunk:
        yield chunk


async def nothing() -> AsyncGenerator[bytes]:
    """No chunk."""
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
    announced = await announced_transcript(state, permit, version)
    without = permit.request.action is PolicyAction.READ_REDACTED
    about = {
        "kind": "transcript",
        "view": (View.REDACTED if without else View.RAW).value,
        "format": form.value,
        "version": announced.version,
    }
    opened = await open_read(state, permit, manifest, about)
    transcript, body = await begun(opened, _rendered(opened, announced, form, without=without))
    headers = {
        "Content-Type": f"{form.media_type}; charset=utf-8",
        "Content-Disposition": f'inline; filename="{manifest.call_id}.{form.suffix}"',
        "Vary": "Accept",
    }
    if transcript.language:
        headers["Content-Language"] = transcript.language
    return Delivery(opened, once(body), len(body), headers=headers)


async def _rendered(
    opened: OpenedRead, announced: TranscriptCompleted, form: TranscriptFormat, *, without: bool
) -> tuple[Transcript, bytes]:
    """The transcript, and its bytes in a format."""
    transcript = await stored_transcript(opened.state.store, await opened.unwrap(), announced)
    if without:
        transcript = redacted(searched(transcript))
    source = Source(opened.manifest, announced.version, announced.completed_at, redacted=without)
    return transcript, render(transcript, form, source)


async def begun(opened: OpenedRead, work: Awaitable[T]) -> T:
    """What the work of a read gives. When it fails, the read is closed.

    Raises:
        NotFound: the call was erased meanwhile. That its objects are gone is no tampering then.
    """
    try:
        return await work
    except IntegrityError as error:
        gone = await opened.is_gone()
        give_up(opened, Outcome.REVOKED if gone else failed(error, opened))
        if gone:
            raise NotFound("There is no such call.") from error
        raise
    except BaseException as error:
        give_up(opened, failed(error, opened))
        raise
