"""What the routes of transcribing again take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from otokura.access.identity.views import Body
from otokura.shared.events import ModelName
from otokura.shared.moments import Moment
from otokura.shared.pagination import Cursor


class Selection(Body):
    """Which recordings: those to which everything given applies, and that `model` has not transcribed yet."""

    model: Annotated[
        ModelName | None,
        Field(
            description="As transcripts name it; the compute type may be left out. Any model if not given."
        ),
    ] = None
    tenant_id: Annotated[
        UUID | None, Field(description="For operators: one tenant's calls. All tenants' if not given.")
    ] = None
    call_id: Annotated[UUID | None, Field(description="One call.")] = None
    since: Annotated[Moment | None, Field(description="Calls that began at or after.")] = None
    until: Annotated[Moment | None, Field(description="Calls that began before.")] = None

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if self.call_id is None and self.since is None:
            raise ValueError("say since when (since), or which call (call_id)")
        if self.since and self.until and self.until <= self.since:
            raise ValueError("until must be later than since")
        return self


class TranscriptionBody(Selection):
    """Recordings to be transcribed again."""

    reason: Annotated[str, Field(min_length=1, max_length=500, description="Why; kept with the versions.")]

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "model": "large-v3",
                    "since": "2026-04-01T00:00:00Z",
                    "reason": "Product names are misheard by the small model",
                }
            ]
        },
    )


class TranscriptionCursor(Cursor):
    """A position in the list of requests: the last one of a page."""

    id: UUID


class Matching(BaseModel):
    """How many calls a selection finds."""

    calls: int


class Progress(BaseModel):
    """The request's jobs by state. Without `model_available` no worker has the model: they wait for one."""

    queued: int
    running: int
    done: int
    failed: int
    model_available: bool
    at: datetime


class TranscriptionView(BaseModel):
    """A request, and how many calls matched then; without `progress` transcribe has not taken it yet."""

    id: UUID
    tenant_id: UUID | None
    model: str | None
    call_id: UUID | None
    since: datetime | None
    until: datetime | None
    reason: str
    matching: int
    requested_by: UUID
    requested_at: datetime
    progress: Progress | None
