"""What the sender of the last bytes is told: whether the file became the call's recording."""

from __future__ import annotations

import asyncio

from otokura.ingest.errors import CallClosed
from otokura.ingest.models import Call, CallState
from otokura.ingest.repository import find
from otokura.ingest.state import State
from otokura.ingest.uploads.errors import refused_again
from otokura.ingest.uploads.models import Upload

_FIRST_LOOK_SECONDS, _SLOWER, _LAST_LOOK_SECONDS = 0.1, 1.5, 2.0


def check(upload: Upload, call: Call) -> None:
    """Whether the upload's bytes are, or may yet become, the call's recording.

    Raises:
        UnsupportedMedia, Unprocessable: they are no recording of this call, and why.
        CallClosed: they could not be sealed, for a reason that is not theirs.
    """
    if upload.problem is not None:
        raise refused_again(upload.problem)
    if call.state == CallState.FAILED:
        raise CallClosed(call.state)


async def wait(state: State, upload: Upload) -> None:
    """Wait a while for the recording of a complete upload; it is made whether anybody waits or not.

    Raises:
        OtokuraError: see `check`.
    """
    clock = asyncio.get_running_loop().time
    until, pause = clock() + state.settings.upload_answer_seconds, _FIRST_LOOK_SECONDS
    while True:
        async with state.database.session() as session:
            call = await find(session, upload.call_id, upload.tenant_id)
            current = await session.get_one(Upload, upload.id, populate_existing=True)
        if call.settled_at is not None:
            check(current, call)
            return
        if clock() >= until:
            return
        await asyncio.sleep(pause)
        pause = min(pause * _SLOWER, _LAST_LOOK_SECONDS)
