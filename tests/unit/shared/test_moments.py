"""Times that callers give are times everywhere."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from otokura.shared.moments import Moment, UtcMoment

moment, utc_moment = TypeAdapter[datetime](Moment), TypeAdapter[datetime](UtcMoment)


def test_a_moment_is_the_same_one_in_utc() -> None:
    noon = datetime(2026, 4, 1, 3, tzinfo=UTC)
    assert moment.validate_python("2026-04-01T12:00:00+09:00") == noon
    assert utc_moment.validate_python("2026-04-01T03:00:00") == noon
    assert utc_moment.validate_python("2026-04-01T03:00:00").tzinfo is UTC
    with pytest.raises(ValidationError, match="timezone"):
        moment.validate_python("2026-04-01T03:00:00")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_one_that_has_no_year_in_utc_is_refused(text: str) -> None:
    for adapter in (moment, utc_moment):
        with pytest.raises(ValidationError, match="between the years"):
            adapter.validate_python(text)
