"""What the routes of rotations take and give."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from otokura.access.identity.views import Body
from otokura.shared.events import KeyHolder
from otokura.shared.pagination import Cursor


class RotationState(StrEnum):
    """Where a rotation is."""

    REWRAPPING = "rewrapping"
    """Services wrap anew what the old keys wrapped."""
    REWRAPPED = "rewrapped"
    """Nothing that lives needs the old keys: destroy them."""
    DONE = "done"


class RotationBody(Body):
    """Key-encryption keys that were made, and wrap from now on."""

    kek_id: Annotated[
        str | None,
        Field(
            pattern=r"^[!-~]{1,200}$",
            description="The new key of a keyring. Left out where every tenant has its own, as in Vault.",
        ),
    ] = None

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"kek_id": "9f86d081884c7d65"}, {}]}
    )


class RotationCursor(Cursor):
    """A position in the list of rotations: the last one of a page."""

    id: UUID


class ServiceProgress(BaseModel):
    """How far a service is: keys that are still under an old key, and those of them that do not open."""

    remaining: int
    unreadable: int
    finished: bool
    at: datetime


class RotationView(BaseModel):
    """A rotation. A service that has said nothing yet is null."""

    id: UUID
    state: RotationState
    kek_id: str | None
    retiring: list[str]
    services: dict[KeyHolder, ServiceProgress | None]
    rotated_by: UUID
    rotated_at: datetime
    rewrapped_at: datetime | None
    destroyed_at: datetime | None
