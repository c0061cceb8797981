"""Whoever looks after a local stack goes on looking, whatever a look finds."""

from __future__ import annotations

import threading
from typing import cast

import psutil
import pytest

from otokura.cli.local.session import watched
from otokura.cli.local.stack import Stack


class Troubled:
    """A stack that the first look fails over."""

    def __init__(self, error: Exception) -> None:
        self._errors = [error]

    def supervise(self) -> list[str]:
        if self._errors:
            raise self._errors.pop()
        return ["kafka runs again"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), psutil.NoSuchProcess(4711)])
def test_a_look_that_fails_is_told_and_not_the_last(error: Exception) -> None:
    told: list[str] = []
    again = threading.Event()

    def tell(event: str) -> None:
        told.append(event)
        if event == "kafka runs again":
            again.set()

    with watched(cast("Stack", Troubled(error)), tell):
        assert again.wait(30)
    assert str(error) in told[0]
