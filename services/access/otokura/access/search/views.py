"""What the route of searching takes and gives."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from otokura.access.reads.views import CallView, View
from otokura.shared.events import ChannelRole
from otokura.shared.moments import Moment
from otokura.shared.pagination import MAX_CURSOR

MAX_PHRASE = 200
"""Characters, as it is typed."""
DEFAULT_CALLS = 20
MAX_CALLS = 50

_PRINTED = r"^[^\x00-\x1f\x7f]+$"

Signal = Annotated[
    str, Field(pattern=r"^(reason|promise|follow-up|complaint|abuse)(/[a-z0-9][a-z0-9-]{0,39})?$")
]


class SearchBody(BaseModel):
    """What to look for, and what for. A body, since addresses are logged and a phrase or number is not."""

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        json_schema_extra={
            "examples": [
                {
                    "phrase": "解約したい",
                    "purpose": "quality",
                    "signals": ["complaint"],
                    "from": "2026-04-01T00:00:00+09:00",
                }
            ]
        },
    )
    phrase: Annotated[str, Field(max_length=MAX_PHRASE, description="What was said, in one turn.")]
    purpose: Annotated[
        str,
        Field(
            pattern=r"^[a-z][a-z0-9-]{0,62}$",
            description="What for. Calls for which this was not disclosed are not looked at.",
        ),
    ]
    reason: Annotated[str | None, Field(max_length=500, pattern=_PRINTED, description="Why, in words.")] = (
        None
    )
    agent_id: Annotated[
        str | None, Field(max_length=128, pattern=_PRINTED, description="The agent's calls only.")
    ] = None
    customer: Annotated[
        str | None, Field(max_length=64, pattern=_PRINTED, description="The customer's telephone number.")
    ] = None
    language: Annotated[
        str | None, Field(pattern=r"^[a-z]{2,3}$", description="Of the transcript, such as `ja`.")
    ] = None
    signals: Annotated[
        list[Signal],
        Field(max_length=10, description="Findings that there must be: `complaint`, `abuse/threat`, …"),
    ] = []
    since: Annotated[Moment | None, Field(alias="from", description="Started at or after.")] = None
    until: Annotated[Moment | None, Field(alias="to", description="Started before.")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_CALLS, description="How many calls at most.")] = DEFAULT_CALLS
    cursor: Annotated[
        str | None,
        Field(max_length=MAX_CURSOR, description="`next_cursor` of the answer before, to the same question."),
    ] = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("to must be later than from")
        return self


class Highlight(BaseModel):
    """A place of the phrase. `start` and `end` count characters of `text`, a part of what the turn says."""

    turn: int
    channel: int
    role: ChannelRole
    start_ms: int
    end_ms: int
    text: str
    start: int
    end: int


class FoundCall(BaseModel):
    """A call in which the phrase stands, in the text that the reader may see of it."""

    call: CallView
    view: View
    transcript_version: int
    matches: Annotated[int, Field(description="Places in this call; the first are `highlights`.")]
    highlights: list[Highlight]


class SearchPage(BaseModel):
    """Calls, newest first. A page may be short, or empty, and go on: `next_cursor` says so."""

    items: list[FoundCall]
    next_cursor: str | None
    at_least: Annotated[
        int, Field(description="Calls found so far, on this page and those before it; all, on the last page.")
    ]
    unreadable: Annotated[
        int, Field(description="Calls of this page that could not be opened, and may hold the phrase.")
    ]
