"""Pure decisions about grants: when one is over, and what one use of it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from otokura.access.grants.models import GrantRecord

SHORTEST_LISTENING = timedelta(minutes=15)


class Over(StrEnum):
    """Why a grant is good no more."""

    EXPIRED = "grant-expired"
    REVOKED = "grant-revoked"
    SPENT = "grant-spent"
    GIVER = "giver-disabled"


def over(grant: GrantRecord, at: datetime, *, giver_disabled: bool = False) -> Over | None:
    """Why a grant is good no more for a listening that has begun; None while it is."""
    if grant.revoked_at is not None:
        return Over.REVOKED
    if at >= grant.expires_at:
        return Over.EXPIRED
    return Over.GIVER if giver_disabled else None


def listening_ends(grant: GrantRecord, begun_at: datetime, recording_ms: int) -> datetime:
    """Until when what comes under a `read_id` is one listening: as long as what is given can be heard twice.

    At least a quarter of an hour, and never longer than the grant is good.

    Args:
        grant: the grant.
        begun_at: when its first request came.
        recording_ms: the length of the recording; 0 when there is none yet.
    """
    given_ms = recording_ms
    if grant.start_ms is not None and grant.end_ms is not None:
        given_ms = min(recording_ms, grant.end_ms - grant.start_ms)
    return min(grant.expires_at, begun_at + max(SHORTEST_LISTENING, timedelta(milliseconds=2 * given_ms)))
