"""What the routes of leak signals give."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from otokura.shared.pagination import Cursor


class SignalView(BaseModel):
    """That a rule matched a reader; `detail` is what it counted or saw."""

    id: UUID
    reader_id: UUID
    rule: str
    kind: str
    detail: dict[str, Any]
    paused: bool
    at: datetime
    lifted_at: datetime | None


class SignalCursor(Cursor):
    """A position in the list of signals: the last one of a page."""

    id: UUID


class PauseView(BaseModel):
    """A reader who may not read, and since when."""

    reader_id: UUID
    name: str
    since: datetime


class PauseList(BaseModel):
    """Everybody of a tenant who is paused."""

    items: list[PauseView]
