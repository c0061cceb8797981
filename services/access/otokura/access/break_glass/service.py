"""Pure decisions about broken glass: where it stands, and who may approve it."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from otokura.access.break_glass.models import BreakGlass
from otokura.access.errors import OwnApproval
from otokura.access.identity.service import PrincipalKind
from otokura.shared.errors import Conflict, Forbidden

APPROVABLE = timedelta(minutes=15)
"""For how long what was asked for can be approved: after that the emergency is another."""


class GlassState(StrEnum):
    """Where it stands."""

    ASKED = "asked"
    LAPSED = "lapsed"
    """Nobody approved it in time."""
    BROKEN = "broken"
    """The asker has every call now."""
    OVER = "over"
    """Its minutes have passed."""
    ENDED = "ended"
    """Somebody ended it, or took it back before it was approved."""


def state_of(glass: BreakGlass, at: datetime) -> GlassState:
    """Where it stands at a moment."""
    if glass.ended_at is not None:
        return GlassState.ENDED
    if glass.until is None:
        return GlassState.ASKED if at < glass.lapses_at else GlassState.LAPSED
    return GlassState.BROKEN if at < glass.until else GlassState.OVER


def check_person(kind: str) -> None:
    """Refuses programs: two of them are one person.

    Raises:
        Forbidden: this is no person.
    """
    if kind != PrincipalKind.PERSON:
        raise Forbidden("Breaking the glass takes two people, and you are a program.", why=["no-person"])


def check_approval(glass: BreakGlass, approver: UUID, at: datetime) -> None:
    """Refuses an approval that must not be.

    Raises:
        OwnApproval: the approver is who asked.
        Conflict: it was approved by somebody else, ended, or has lapsed.
    """
    if approver == glass.asked_by:
        raise OwnApproval("Somebody else must approve what you ask for.")
    state = state_of(glass, at)
    if state is not GlassState.ASKED:
        raise Conflict(f"This cannot be approved: it is {state.value}.", state=state.value)
