"""Finding calls by the phone system's own id: of a call that a stream started, this tells ours."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from otokura.ingest.dependencies import IngestState, Vendor
from otokura.ingest.repository import calls_of
from otokura.ingest.views import CallView, Identifier
from otokura.shared import errors
from otokura.shared.problems import responses

MOST = 20
"""A phone system that uses an id again sees so many of its calls."""

router = APIRouter(
    prefix="/v1/calls",
    tags=["calls"],
    responses=responses(errors.Unauthenticated, errors.Forbidden, errors.TooManyRequests, errors.Unavailable),
)


class Found(BaseModel):
    """Calls that were asked for, the newest first."""

    items: list[CallView]


@router.get("", responses=responses(errors.Unprocessable))
async def find_calls(
    external_id: Annotated[Identifier, Query(description="The phone system's own id of the call.")],
    vendor: Vendor,
    state: IngestState,
    response: Response,
) -> Found:
    """Find this client's calls by the phone system's id, the newest first."""
    response.headers["Cache-Control"] = "no-store"
    async with state.database.session() as session:
        calls = await calls_of(session, vendor.client_id, external_id, MOST)
    return Found(items=[CallView.of(call) for call in calls])
