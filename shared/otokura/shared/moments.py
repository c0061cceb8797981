"""Times that callers give: none of which PostgreSQL and Python do not both know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)


def in_utc(at: datetime) -> datetime:
    """The same moment in UTC; a time without an offset is UTC.

    Raises:
        ValueError: in UTC there is no such year, or nearly none.
    """
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    if not EARLIEST <= aware <= LATEST:
        raise ValueError("not a time between the years 1 and 9998")
    return aware.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]
"""A time with its offset (RFC 3339)."""
UtcMoment = Annotated[datetime, AfterValidator(in_utc)]
"""A time; without an offset it is UTC."""
