"""Routes of reading: looking for calls, and hearing and reading them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from otokura.access.errors import HeldByCustomer, NotAcceptable, NotReady
from otokura.access.permission import Searcher, entry
from otokura.access.reads import content, gate, repository
from otokura.access.reads.asking import Asking
from otokura.access.reads.decoded_audio import RawStretch, Stretch
from otokura.access.reads.delivery import Delivery
from otokura.access.reads.redacted_audio import RedactedRecording
from otokura.access.reads.rendering import TranscriptFormat, choose_format
from otokura.access.reads.repository import CallFilter
from otokura.access.reads.search import search
from otokura.access.reads.stored import announced_transcript
from otokura.access.reads.views import CallCursor, CallState, CallView, Cover, TranscriptVersions, View
from otokura.access.state import AccessState, State
from otokura.shared.address import ClientAddress
from otokura.shared.audit_entries import ENTRY_ID, Action
from otokura.shared.authentication import Authenticated
from otokura.shared.errors import (
    BadRequest,
    Forbidden,
    IntegrityError,
    NotFound,
    RangeNotSatisfiable,
    Unauthenticated,
    Unavailable,
)
from otokura.shared.moments import Moment
from otokura.shared.pagination import DEFAULT_LIMIT, CursorText, Limit, Page
from otokura.shared.policy.facts import PolicyAction
from otokura.shared.problems import responses

router = APIRouter(prefix="/v1/calls", tags=["reads"])

_DENIALS = responses(Unauthenticated, Forbidden, NotFound, Unavailable)
_AUDIO_DOC: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/flac": {}, "audio/wav": {}}, "description": "The recording."},
    206: {"content": {"audio/flac": {}, "audio/wav": {}}, "description": "The range asked for."},
}
AudioView = Annotated[View, Query(description="`redacted`: without what the newest transcript redacts.")]
AudioCover = Annotated[Cover, Query(description="What is heard there: `silence` or a quiet `tone`.")]
_TRANSCRIPT_DOC: dict[int | str, dict[str, Any]] = {
    200: {"content": {form.media_type: {} for form in TranscriptFormat}, "description": "The transcript."},
}


@router.get("", responses=responses(BadRequest, Unauthenticated, Forbidden, Unavailable))
async def list_calls(  # noqa: PLR0913 - one argument for each filter
    state: State,
    reader: Searcher,
    response: Response,
    *,
    agent_id: Annotated[str | None, Query(max_length=128)] = None,
    external_id: Annotated[str | None, Query(max_length=128)] = None,
    call_state: Annotated[CallState | None, Query(alias="state")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="Started at or after.")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Started before.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
) -> Page[CallView]:
    """The calls that the reader may view, newest first."""
    after = CallCursor.decode(cursor)
    wanted = CallFilter(
        agent_id=agent_id,
        external_id=external_id,
        state=call_state,
        since=since,
        until=until,
        after=_position(after.started_at, after.call_id) if after else None,
    )
    found = await search(state, reader, wanted, limit)
    response.headers[ENTRY_ID] = str(found.entry_id)
    response.headers["Cache-Control"] = "private, no-store"
    return Page(items=found.calls, next_cursor=found.next_cursor)


def _position(started_at: datetime, call_id: UUID) -> tuple[datetime, UUID]:
    if started_at.tzinfo is None:
        raise BadRequest("The cursor is not one of this list: leave it out to begin.")
    return started_at, call_id


@router.get("/{call_id}", responses=_DENIALS)
async def get_call(
    call_id: UUID, state: State, token: Authenticated, place: ClientAddress, response: Response
) -> CallView:
    """What is known of a call beside its content."""
    permit = await gate.permit(state, gate.Request(token, place, call_id, PolicyAction.VIEW))
    draft = entry(Action.CALLS_SEARCHED, permit.reader, {"calls": [call_id]}, call_id)
    response.headers[ENTRY_ID] = str(await state.audit.write(draft))
    response.headers["Cache-Control"] = "private, no-store"
    return CallView.of(permit.row)


@router.get(
    "/{call_id}/audio",
    response_class=Response,
    responses=_AUDIO_DOC
    | _DENIALS
    | responses(NotReady, HeldByCustomer, RangeNotSatisfiable, IntegrityError),
)
async def get_audio(
    call_id: UUID,
    asking: Asking,
    state: State,
    *,
    view: AudioView = View.RAW,
    cover: AudioCover = Cover.SILENCE,
    range_header: Annotated[str | None, Header(alias="Range")] = None,
    if_range: Annotated[str | None, Header()] = None,
) -> Delivery:
    """The recording, decrypted on its way; one range of it where asked for. Every request is a read.

    `view=redacted` is a permission of its own, and always a WAV file: what the newest transcript redacts is
    silent in it, or a quiet tone. By a grant of a stretch of time the recording is that stretch, as WAV.
    """
    permit = await gate.permit(state, asking.to(_listening(view), call_id))
    rendition = await _rendition(state, permit, cover)
    return await content.deliver_audio(state, permit, rendition, content.Portion(range_header, if_range))


@router.head("/{call_id}/audio", response_class=Response, include_in_schema=False)
async def head_audio(
    call_id: UUID,
    asking: Asking,
    state: State,
    *,
    view: AudioView = View.RAW,
    cover: AudioCover = Cover.SILENCE,
) -> Delivery:
    """The headers of the recording. Also this is a read: it tells how long somebody spoke."""
    permit = await gate.permit(state, asking.to(_listening(view), call_id))
    rendition = await _rendition(state, permit, cover)
    return await content.deliver_audio(state, permit, rendition, content.Portion(head=True))


def _listening(view: View) -> PolicyAction:
    return PolicyAction.LISTEN_REDACTED if view is View.REDACTED else PolicyAction.LISTEN


async def _rendition(state: AccessState, permit: gate.Permit, cover: Cover) -> content.Rendition:
    """The one that the permit is for.

    Raises:
        NotReady: there is no recording, or no transcript that says what to cover.
        RangeNotSatisfiable: the permit is for a stretch of time that the recording does not have.
    """
    manifest, patience = gate.require_manifest(permit), state.settings.stalled_seconds
    if permit.row["recording_erased_at"] is not None:
        raise NotReady("The recording is erased: its time has passed.")
    given = permit.grant.stretch_ms if permit.grant else None
    stretch = Stretch.between(manifest, *given) if given else None
    if permit.request.action is not PolicyAction.LISTEN:
        announced = await announced_transcript(state, permit)
        return RedactedRecording(manifest, announced, cover, patience, stretch)
    return RawStretch(manifest, stretch, patience) if stretch else content.RawRecording(manifest)


@router.get(
    "/{call_id}/transcript",
    response_class=Response,
    responses=_TRANSCRIPT_DOC | _DENIALS | responses(NotReady, HeldByCustomer, NotAcceptable, IntegrityError),
)
async def get_transcript(
    call_id: UUID,
    asking: Asking,
    state: State,
    *,
    form: Annotated[
        TranscriptFormat | None, Query(alias="format", description="Else Accept decides.")
    ] = None,
    version: Annotated[int | None, Query(ge=1, description="Else the newest that is completed.")] = None,
    view: Annotated[View, Query(description="`redacted`: without numbers, addresses and names.")] = View.RAW,
    accept: Annotated[str | None, Header()] = None,
) -> Delivery:
    """The transcript as JSON with signals and summary, as WebVTT, SubRip, plain text or vCon.

    `view=redacted` is a permission of its own; in the text `[card-number]` and the like stand in the places.
    """
    chosen = choose_format(form, accept)
    if chosen is None:
        raise NotAcceptable(f"There are {', '.join(one.media_type for one in TranscriptFormat)}.")
    action = PolicyAction.READ_REDACTED if view is View.REDACTED else PolicyAction.READ_TRANSCRIPT
    permit = await gate.permit(state, asking.to(action, call_id))
    return await content.deliver_transcript(state, permit, chosen, version)


@router.get("/{call_id}/transcripts", responses=_DENIALS)
async def list_transcripts(
    call_id: UUID, state: State, token: Authenticated, place: ClientAddress, response: Response
) -> TranscriptVersions:
    """The versions of a call's transcript, newest first: made with what, and asked for by whom."""
    permit = await gate.permit(state, gate.Request(token, place, call_id, PolicyAction.VIEW))
    async with state.database.session() as session:
        found = await repository.versions(session, permit.row["tenant_id"], call_id)
    draft = entry(Action.CALLS_SEARCHED, permit.reader, {"calls": [call_id]}, call_id)
    response.headers[ENTRY_ID] = str(await state.audit.write(draft))
    response.headers["Cache-Control"] = "private, no-store"
    return TranscriptVersions.of(found)
