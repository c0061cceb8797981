"""The route by which a call becomes evidence: one signed bundle, for an evidence officer with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from otokura.access.errors import HeldByCustomer, NotReady
from otokura.access.evidence.bundle import Bundle
from otokura.access.reads import gate
from otokura.access.reads.closing import Outcome
from otokura.access.reads.content import after, begun
from otokura.access.reads.counting import count_served
from otokura.access.reads.delivery import failed, wait_until_gone, watched
from otokura.access.state import AccessState, State
from otokura.access.tenancy import service as tenancy
from otokura.shared.address import ClientAddress
from otokura.shared.authentication import Authenticated
from otokura.shared.errors import (
    Forbidden,
    IntegrityError,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from otokura.shared.ids import uuid7
from otokura.shared.policy.facts import PolicyAction
from otokura.shared.problems import responses

MEDIA_TYPE = "application/zip"
_BUSY = "Your company makes as much evidence at once as this service makes for one: try again soon."
_BUSY_SECONDS = 10
_DOC: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA_TYPE: {}}, "description": "The bundle."}}

router = APIRouter(prefix="/v1/calls", tags=["evidence"])


class EvidenceBody(BaseModel):
    """Why a call becomes evidence."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "東京地方裁判所 令和8年(ワ)第123号 甲第5号証"}]},
    )
    reason: Annotated[
        str,
        Field(min_length=1, max_length=500, pattern=r"\S", description="Written down, and in the bundle."),
    ]


class BundleDelivery(Response):
    """Sends a bundle as it is made, and closes the read however that ends.

    Args:
        opened: the read.
        chunks: the bundle; this closes them.
        place: what the making of it takes up until it ends.
    """

    def __init__(self, opened: gate.OpenedRead, chunks: AsyncGenerator[bytes], place: ExitStack) -> None:
        self.status_code = 200
        self.background = None
        self._opened = opened
        self._chunks = chunks
        self._place = place
        self._sent = 0
        name = f"evidence-{opened.manifest.call_id}-{opened.read_id}.zip"
        disposition = f'attachment; filename="{name}"'
        self.init_headers({**opened.headers, "Content-Type": MEDIA_TYPE, "Content-Disposition": disposition})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until it is whole, the reader goes away, or takes nothing for too long."""
        del scope
        gone = asyncio.create_task(wait_until_gone(receive))
        outcome = Outcome.ABORTED
        count_served(self._opened)
        with self._place:
            try:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                if await self._send_body(send, gone):
                    outcome = Outcome.COMPLETE
            except BaseException as error:
                outcome = failed(error, self._opened)
                raise
            finally:
                gone.cancel()
                self._opened.close(outcome, self._sent)

    async def _send_body(self, send: Send, gone: asyncio.Task[None]) -> bool:
        """Whether the network took all of it."""
        async with aclosing(self._chunks) as chunks:
            async for chunk in chunks:
                if gone.done():
                    return False
                try:
                    async with asyncio.timeout(self._opened.state.settings.stalled_seconds):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                except TimeoutError:
                    return False
                self._sent += len(chunk)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return not gone.done()


@router.post(
    "/{call_id}/evidence",
    response_class=Response,
    responses=_DOC
    | responses(
        Unauthenticated, Forbidden, NotFound, Unprocessable, NotReady, HeldByCustomer, TooManyRequests,
        IntegrityError, Unavailable,
    ),
)  # fmt: skip
async def make_evidence(
    call_id: UUID, body: EvidenceBody, state: State, token: Authenticated, place: ClientAddress
) -> BundleDelivery:
    """A ZIP archive that stands on its own: audio, transcript, signed vCon, and the call's whole history.

    Every byte of it is signed, and every entry of the history is proved in a signed tree of the log; `otokura
    verify evidence` checks it offline. It is a read like any other, written down before its first byte.
    """
    asked = gate.Request(
        token, place, call_id, PolicyAction.MAKE_EVIDENCE, None, body.reason, read_id=uuid7()
    )
    permit = await gate.permit(state, asked)
    manifest = gate.require_manifest(permit)
    with ExitStack() as places:
        tenant_id = manifest.tenant_id
        places.enter_context(state.evidence.places.take(tenant_id, _BUSY, _BUSY_SECONDS))
        if state.evidence.authority is not None:
            await state.evidence.authority.check()
        opened = await gate.open_read(state, permit, manifest, {"kind": "evidence", "view": "raw"})
        chunks = await begun(opened, _begin(state, opened, body.reason))
        return BundleDelivery(opened, chunks, places.pop_all())


async def _begin(state: AccessState, opened: gate.OpenedRead, reason: str) -> AsyncGenerator[bytes]:
    """The bundle's bytes; what can go wrong before there are any has gone well when this returns."""
    permit = opened.permit
    history = await state.evidence.custody.history(
        permit.reader, permit.request.call_id, opened.entry_id, opened.read_id
    )
    async with state.database.session() as session:
        settings, _ = await tenancy.read_settings(session, opened.manifest.tenant_id)
    chunks = watched(opened, Bundle(opened, history, settings, reason).chunks())
    return after(await anext(chunks), chunks)
