"""The route by which a person is given what there is of their calls (開示, 個人情報保護法 art. 33)."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from starlette.types import Receive, Scope, Send

from otokura.access.identity.subject import Reader
from otokura.access.lifecycle import erasures
from otokura.access.lifecycle.export import Asked, Export
from otokura.access.lifecycle.views import ExportBody
from otokura.access.permission import Exporter, tenant_of
from otokura.access.reads.closing import Outcome
from otokura.access.reads.delivery import ended_by, wait_until_gone
from otokura.access.state import State
from otokura.access.tenancy import service as tenancy
from otokura.shared.address import ClientAddress
from otokura.shared.audit_entries import ENTRY_ID
from otokura.shared.authentication import Authenticated
from otokura.shared.errors import (
    Forbidden,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from otokura.shared.problems import responses

MOST_CALLS = 500
"""In one archive."""
MEDIA_TYPE = "application/zip"
_DOC: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA_TYPE: {}}, "description": "The archive."}}

router = APIRouter(prefix="/v1/exports", tags=["exports"])


class ArchiveDelivery(Response):
    """Sends an archive as it is made, and says how that ended."""

    def __init__(self, export: Export, reader: Reader, opened: UUID, patience: float) -> None:
        self.status_code = 200
        self.background = None
        self._export = export
        self._reader = reader
        self._opened = opened
        self._patience = patience
        self.init_headers(
            {
                "Content-Type": MEDIA_TYPE,
                "Content-Disposition": f'attachment; filename="{export.id}.zip"',
                ENTRY_ID: str(opened),
                "Cache-Control": "private, no-store",
                "X-Content-Type-Options": "nosniff",
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until it is whole, the reader goes away, or takes nothing for too long."""
        del scope
        gone = asyncio.create_task(wait_until_gone(receive))
        outcome = Outcome.ABORTED
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if await self._send_body(send, gone):
                outcome = Outcome.COMPLETE
        except BaseException as error:
            outcome = ended_by(error)
            raise
        finally:
            gone.cancel()
            self._export.close(self._reader, self._opened, outcome)

    async def _send_body(self, send: Send, gone: asyncio.Task[None]) -> bool:
        """Whether the network took all of it."""
        async with aclosing(self._export.chunks()) as chunks:
            async for chunk in chunks:
                if gone.done():
                    return False
                try:
                    async with asyncio.timeout(self._patience):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                except TimeoutError:
                    return False
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return not gone.done()


@router.post(
    "",
    response_class=Response,
    responses=_DOC
    | responses(Unauthenticated, Forbidden, NotFound, Unprocessable, TooManyRequests, Unavailable),
)
async def export_calls(
    body: ExportBody, state: State, officer: Exporter, token: Authenticated, place: ClientAddress
) -> ArchiveDelivery:
    """A ZIP archive of calls for the person concerned: transcripts, audio, a manifest, and a page of both.

    Redacted for the sake of others, unless a policy of the tenant's own permits otherwise. Every call in it
    is a read, with its entries; the archive has one of its own, which the answer names.
    """
    found = await erasures.chosen_calls(state, body, officer)
    if not 0 < len(found.call_ids) <= MOST_CALLS:
        raise Unprocessable(
            f"{len(found.call_ids)} calls are found, and an archive holds 1 to {MOST_CALLS} of them.",
            unreadable=len(found.unreadable),
        )
    async with state.database.session() as session:
        settings, _ = await tenancy.read_settings(session, tenant_of(officer))
    export = Export(state, Asked(token, place, body.reason, body.view), settings, found.call_ids)
    opened = await export.open(officer)
    return ArchiveDelivery(export, officer, opened, state.settings.stalled_seconds)
