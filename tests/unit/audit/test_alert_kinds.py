"""Whoever gets an alert finds in the documentation what it means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from otokura.shared.audit_events import AlertKind

PAGE = Path(__file__).parents[3] / "docs/alerts.md"


def test_every_kind_of_alert_stands_in_the_documentation_once() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(told) == sorted(get_args(AlertKind))
