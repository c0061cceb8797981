"""Live text as AudioHook has it: turns as `transcript` entities of `event` messages.

Version 2 of the protocol, as Genesys' sample server says it (`app/audiohook/src/protocol` there). Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from otokura.shared.transcripts import PartialTurn

LONGEST_EVENT = 32_768
"""Bytes of the entities of one message: half of what a client takes, and of what is written at once."""
_UNDETERMINED = "und"
_MILLISECOND = Decimal("0.001")


@dataclass(frozen=True)
class SessionClock:
    """How a session's client counts, against the call's own timeline: both run on together.

    Attributes:
        position: of the client when its session began, in seconds.
        began: where on the call's timeline that was, in seconds.
    """

    position: Decimal
    began: Decimal

    def offset(self, call_ms: int) -> str | None:
        """A place of the call as the client knows it; None if it lies before the client's beginning."""
        seconds = self.position + Decimal(call_ms) / 1000 - self.began
        return None if seconds < 0 else duration(seconds)


def duration(seconds: Decimal) -> str:
    """As the protocol writes it: `PT1.5S`, to the millisecond."""
    return f"PT{seconds.quantize(_MILLISECOND).normalize():f}S"


def entity(turn_id: str, turn: PartialTurn, language: str, clock: SessionClock) -> dict[str, Any]:
    """A turn as an entity.

    The session's channels are the call's, in their order. Live text has no confidence, and the protocol
    demands one: it is always 1. Where the turn began before the client's clock did it has no place.

    Args:
        turn_id: the same however often the turn is revised.
        turn: of the call's live text.
        language: of the text; `und` is not told.
        clock: of the session.
    """
    interpretation = {"type": "display", "transcript": turn.text}
    alternative: dict[str, Any] = {"confidence": 1, "interpretations": [interpretation]}
    if language != _UNDETERMINED:
        alternative["languages"] = [language]
    data: dict[str, Any] = {
        "id": turn_id,
        "channelId": turn.channel,
        "isFinal": turn.final,
        "alternatives": [alternative],
    }
    offset = clock.offset(turn.start_ms)
    if offset is not None:
        data["offset"] = offset
        data["duration"] = duration(Decimal(max(0, turn.end_ms - turn.start_ms)) / 1000)
    return {"type": "transcript", "data": data}


def size(entity: dict[str, Any]) -> int:
    """Bytes that an entity takes in a message; no text has more characters than that."""
    return len(json.dumps(entity, ensure_ascii=False).encode()) + 2


def fitting(sizes: Iterable[int]) -> int:
    """How many of the first entities go into one message together."""
    count = total = 0
    for one in sizes:
        total += one
        if total > LONGEST_EVENT:
            break
        count += 1
    return count
