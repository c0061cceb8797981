"""What the routes of grants take and give."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from otokura.access.grants.models import GrantRecord
from otokura.access.grants.service import over
from otokura.access.identity.views import Body
from otokura.shared.events.tenants import PURPOSE_NAME
from otokura.shared.pagination import Cursor
from otokura.shared.policy.facts import PolicyAction

LONGEST_MINUTES = 30 * 24 * 60
ZoneName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Milliseconds = Annotated[int, Field(ge=0, le=7 * 24 * 3_600_000)]


class Form(StrEnum):
    """What a grant can give: the actions of the policies that give content."""

    LISTEN = PolicyAction.LISTEN.value
    LISTEN_REDACTED = PolicyAction.LISTEN_REDACTED.value
    READ_TRANSCRIPT = PolicyAction.READ_TRANSCRIPT.value
    READ_REDACTED = PolicyAction.READ_REDACTED.value

    @property
    def action(self) -> PolicyAction:
        """As the policies know it."""
        return PolicyAction(self.value)

    @property
    def is_audio(self) -> bool:
        """Whether it can be given by a stretch of time."""
        return self in {Form.LISTEN, Form.LISTEN_REDACTED}


class GrantBody(Body):
    """A grant: who may read what of a call, for what, from where, how often and for how long.

    Without `zones` any of the company's zones will do. With `start_ms` and `end_ms` only that stretch of the
    recording is given; text has none. One use is one listening: everything under one `read_id`.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "reader_id": "0198c5a0-7e2b-7c3d-9e4f-5a6b7c8d9e0f",
                    "call_id": "0198c5a1-0000-7000-8000-000000000000",
                    "what": ["listen-redacted"],
                    "purpose": "training",
                    "reason": "Example for the new team",
                    "zones": ["office"],
                    "start_ms": 30000,
                    "end_ms": 90000,
                    "listenings": 1,
                    "minutes": 60,
                }
            ]
        },
    )
    reader_id: UUID
    call_id: UUID
    what: list[Form] = Field(min_length=1, max_length=4)
    purpose: str = Field(pattern=PURPOSE_NAME)
    reason: str = Field(min_length=1, max_length=500)
    zones: list[ZoneName] = Field(default_factory=list[str], max_length=100)
    start_ms: Milliseconds | None = None
    end_ms: Milliseconds | None = None
    listenings: int = Field(default=1, ge=1, le=100)
    minutes: int = Field(default=60, ge=1, le=LONGEST_MINUTES)

    @model_validator(mode="after")
    def _stretch_can_be(self) -> Self:
        if (self.start_ms is None) is not (self.end_ms is None):
            raise ValueError("a stretch has a start_ms and an end_ms")
        if self.start_ms is None or self.end_ms is None:
            return self
        if self.end_ms <= self.start_ms:
            raise ValueError("end_ms must be later than start_ms")
        if not all(form.is_audio for form in self.what):
            raise ValueError("a stretch can be given of audio alone: give text by another grant")
        return self


class GrantState(StrEnum):
    """Whether a grant is good."""

    OPEN = "open"
    SPENT = "spent"
    """No listening can begin; one that has begun goes on."""
    EXPIRED = "expired"
    REVOKED = "revoked"


class GrantView(BaseModel):
    """A grant, and how often it was used."""

    id: UUID
    state: GrantState
    reader_id: UUID
    given_by: UUID
    call_id: UUID
    what: list[Form]
    purpose: str
    reason: str
    zones: list[str]
    start_ms: int | None
    end_ms: int | None
    listenings: int
    used: int
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, grant: GrantRecord, at: datetime) -> GrantView:
        """The view of a record at a time."""
        why = over(grant, at)
        state = GrantState(why.removeprefix("grant-")) if why else GrantState.OPEN
        if why is None and grant.used >= grant.listenings:
            state = GrantState.SPENT
        return cls.model_validate(grant.model_dump() | {"state": state})


class GrantCursor(Cursor):
    """A position in the list of grants: the last one of a page."""

    id: UUID
