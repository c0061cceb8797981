"""The ciphertext of a call for its customer, who holds the key: nothing is opened on the way."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response

from otokura.access.errors import NotReady
from otokura.access.reads import gate
from otokura.access.reads.asking import Asking
from otokura.access.reads.content import after, begun
from otokura.access.reads.delivery import Delivery, watched
from otokura.access.reads.stored import announced_transcript, present
from otokura.access.state import AccessState, State
from otokura.shared.cipher import ciphertext_size
from otokura.shared.customer_keys import CustomerCopy
from otokura.shared.errors import (
    BadRequest,
    Forbidden,
    IntegrityError,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from otokura.shared.manifest import Manifest
from otokura.shared.policy.facts import PolicyAction
from otokura.shared.problems import responses
from otokura.shared.sealed_files import MEDIA_TYPE, SealedFileHeader

router = APIRouter(prefix="/v1/calls", tags=["reads"])

Transcript = Annotated[bool, Query(description="The transcript in the place of the recording.")]


@router.get(
    "/{call_id}/sealed",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {}}, "description": "What `otokura open` opens."},
        **responses(BadRequest, Unauthenticated, Forbidden, NotFound, NotReady, IntegrityError, Unavailable),
    },
)
async def get_sealed(
    call_id: UUID, asking: Asking, state: State, *, transcript: Transcript = False
) -> Delivery:
    """The recording as it lies in the store, with its key for the customer's own.

    A read like any other: whoever takes it must be permitted to hear, or read, the call.
    """
    if asking.grant is not None:
        # One gives a stretch, a number of times; ciphertext is the whole, for ever.
        raise BadRequest("By a grant calls are heard and read here; their ciphertext is not given.")
    action = PolicyAction.READ_TRANSCRIPT if transcript else PolicyAction.LISTEN
    permit = await gate.permit(state, asking.to(action, call_id))
    manifest = gate.require_recording(permit)
    if permit.row["customer_key"] is None:
        raise NotReady("The call was sealed for nobody else: hear or read it here.", state="sealed")
    if permit.row["recording_erased_at"] is not None and not transcript:
        raise NotReady("The recording is erased: its time has passed.")
    header, bucket, name = await _header(state, permit, manifest)
    about = {"kind": "sealed", "of": header.kind, "version": header.version}
    opened = await gate.open_read(state, permit, manifest, about)
    chunks = _ciphertext(state, bucket, name)
    first = await begun(opened, present(anext(chunks)))
    beginning = header.to_bytes()
    length = len(beginning) + ciphertext_size(header.plaintext_bytes)
    suffix = f"{header.kind}.sealed"
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Disposition": f'attachment; filename="{call_id}.{suffix}"',
    }
    return Delivery(opened, watched(opened, after(beginning + first, chunks)), length, headers=headers)


async def _header(
    state: AccessState, permit: gate.Permit, manifest: Manifest
) -> tuple[SealedFileHeader, str, str]:
    """What is taken, and where it lies."""
    common: dict[str, Any] = {
        "manifest": manifest,
        "manifest_sha256": permit.row["manifest_sha256"],
        "customer_key": CustomerCopy.model_validate(permit.row["customer_key"]),
    }
    if permit.request.action is PolicyAction.LISTEN:
        stored = manifest.recording
        about = stored.model_dump(include={"media_type", "plaintext_bytes", "plaintext_sha256"})
        return SealedFileHeader(kind="recording", **about, **common), stored.bucket, stored.name
    announced = await announced_transcript(state, permit)
    about = announced.model_dump(include={"version", "plaintext_bytes", "plaintext_sha256"})
    header = SealedFileHeader(kind="transcript", media_type="application/json", **about, **common)
    return header, announced.bucket, announced.object


async def _ciphertext(state: AccessState, bucket: str, name: str) -> AsyncGenerator[bytes]:
    blocks: AsyncIterator[bytes] = state.store.stream(bucket, name)
    async for block in blocks:
        yield block
