"""The calls that AudioHook starts: what Genesys says of a conversation, and the language it changes."""

from __future__ import annotations

import re
from uuid import UUID

from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.ingest.connections.lookup import Told
from otokura.ingest.dependencies import Caller
from otokura.ingest.dialects.audiohook_messages import ROLES, Media, OpenParameters
from otokura.ingest.dialects.call_fields import number
from otokura.ingest.models import CallState
from otokura.ingest.repository import lock
from otokura.ingest.service import started_event
from otokura.ingest.state import State
from otokura.shared.outbox import publish

RATE = 8000
_LANGUAGE = re.compile(r"([a-z]{2})(-[A-Za-z0-9-]*)?", re.ASCII)
_ENCODINGS = {"PCMU": Encoding.MULAW, "L16": Encoding.PCM_S16LE}


def told(opened: OpenParameters, media: Media) -> Told:
    """What Genesys says of the conversation; a number that cannot be kept is left out, not the call."""
    return Told(
        external_id=str(opened.conversationId),
        channels=[ROLES[channel] for channel in media.channels],
        caller=number(opened.participant.ani or None),
        callee=number(opened.participant.dnis or None),
        language=language(opened.language),
    )


def stream_format(media: Media) -> StreamFormat:
    """What the binary messages hold. L16 is taken as little-endian, as Genesys' own sample reads it."""
    return StreamFormat(_ENCODINGS[media.format], RATE, len(media.channels))


def language(code: str | None) -> str | None:
    """The two letters of a code such as `ja-JP`; None if it has none."""
    found = _LANGUAGE.fullmatch(code or "")
    return found[1] if found else None


async def change_language(state: State, caller: Caller, call_id: UUID, code: str) -> None:
    """Note which language is spoken, so that the recording is transcribed in it.

    A code that is not understood changes nothing.

    Raises:
        Unavailable: the database is away.
    """
    spoken = language(code)
    if spoken is None:
        return
    async with state.database.session() as session:
        call = await lock(session, call_id, caller.tenant_id)
        if call.state == CallState.LIVE and call.language != spoken:
            call.language = spoken
            call.version += 1
            await session.flush()
            await publish(session, started_event(call))
