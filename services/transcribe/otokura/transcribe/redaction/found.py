"""What a recogniser gives: a stretch of a stream and what it is."""

from __future__ import annotations

from dataclasses import dataclass

from otokura.shared.redactions import RedactionKind


@dataclass(frozen=True, slots=True)
class Found:
    """Characters [start, end) of a stream's text are of a kind; `digits` when they say a number."""

    kind: RedactionKind
    start: int
    end: int
    digits: str = ""
