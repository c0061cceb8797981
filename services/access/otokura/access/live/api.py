"""The route of live text."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Response

from otokura.access.errors import NotReady
from otokura.access.live.stream import LiveDelivery, LiveText, position_of
from otokura.access.reads import gate
from otokura.access.reads.asking import Asking
from otokura.access.reads.views import View
from otokura.access.state import State
from otokura.shared.errors import Forbidden, IntegrityError, NotFound, Unauthenticated, Unavailable
from otokura.shared.policy.facts import PolicyAction
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1/calls", tags=["reads"])

_DOC: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/event-stream": {
                "example": 'id: 1.7\nevent: partial\ndata: {"epoch": 1, "revision": 7, '
                '"final_through_ms": 5200, "language": "ja", "at": "2026-04-01T01:02:03Z", "turns": ['
                '{"channel": 0, "role": "agent", "start_ms": 640, "end_ms": 5200, "text": "もしもし。",'
                ' "final": true}]}\n\n'
            }
        },
        "description": "Events `partial`, then `completed` or `ended`.",
    },
}


@router.get(
    "/{call_id}/transcript/live",
    response_class=Response,
    responses=_DOC | responses(Unauthenticated, Forbidden, NotFound, NotReady, IntegrityError, Unavailable),
)
async def get_live_transcript(
    call_id: UUID,
    asking: Asking,
    state: State,
    *,
    last_event_id: Annotated[str | None, Header(description="Go on after this event.")] = None,
) -> LiveDelivery:
    """What is said in a call while it lasts, redacted, as server-sent events; one read, however long.

    A turn is known by `channel` and `start_ms`. A final one is sent once and never changes; those that are
    not are sent again with each event, which replaces all of them. After `completed` the transcript takes the
    place of everything. It takes the permission to read the redacted transcript, and no other.
    """
    permit = await gate.permit(state, asking.to(PolicyAction.READ_REDACTED, call_id))
    opened = await gate.open_live(state, permit, {"kind": "live-transcript", "view": View.REDACTED.value})
    return LiveDelivery(opened, LiveText(opened, state.live, position_of(last_event_id)))
