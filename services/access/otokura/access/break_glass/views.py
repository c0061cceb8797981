"""What the routes of broken glass take and give."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from otokura.access.break_glass.models import BreakGlass
from otokura.access.break_glass.service import GlassState, state_of
from otokura.access.identity.views import Body
from otokura.shared.pagination import Cursor


class GlassBody(Body):
    """Why every call of the company is needed, and for how long from the approval on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"reason": "A caller spoke of ending their life; who was it?", "minutes": 15}]
        },
    )
    reason: str = Field(min_length=1, max_length=500)
    minutes: int = Field(default=30, ge=1, le=480)


class GlassView(BaseModel):
    """What was asked for, and where it stands."""

    id: UUID
    state: GlassState
    asked_by: UUID
    reason: str
    minutes: int
    asked_at: datetime
    lapses_at: datetime
    approved_by: UUID | None
    approved_at: datetime | None
    until: datetime | None
    ended_by: UUID | None
    ended_at: datetime | None

    @classmethod
    def of(cls, glass: BreakGlass, at: datetime) -> GlassView:
        """The view of a record at a time."""
        return cls.model_validate(glass.model_dump() | {"state": state_of(glass, at)})


class GlassCursor(Cursor):
    """A position in the list: the last one of a page."""

    id: UUID
