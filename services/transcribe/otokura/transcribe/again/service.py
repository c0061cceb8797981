"""What is told of requests and of workers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.events import TranscriptionProgressed
from otokura.shared.outbox import publish
from otokura.transcribe.again import repository
from otokura.transcribe.models import JobState, Request

_REQUESTS_AT_ONCE = 50


async def tell_progress(session: AsyncSession) -> None:
    """Tells of every open request that has changed since it was told of; settles what is over."""
    models = await repository.models_at_work(session)
    for request in await repository.open_requests(session, _REQUESTS_AT_ONCE):
        states = await repository.states(session, request.id)
        available = request.model is None or request.model in models
        await _tell(session, request, states, available=available)


async def _tell(
    session: AsyncSession, request: Request, states: Mapping[JobState, int], *, available: bool
) -> None:
    told = {**{state.value: number for state, number in states.items()}, "model_available": available}
    if told != request.told:
        request.version += 1
        request.told = told
        event = {**told, "request_id": request.id, "version": request.version, "at": datetime.now(UTC)}
        await publish(session, TranscriptionProgressed.model_validate(event))
    request.settled = not states[JobState.QUEUED] and not states[JobState.RUNNING]
    session.add(request)
