"""Signals point at characters; where text is redacted, characters move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from otokura.shared.insight.models import Evidence, Finding, Signals


@dataclass(frozen=True, slots=True)
class Replaced:
    """A stretch of a turn's text: at [start, end) in one form of it, at [to_start, to_end) in the other."""

    start: int
    end: int
    to_start: int
    to_end: int

    def reversed(self) -> Replaced:
        """The way back."""
        return Replaced(self.to_start, self.to_end, self.start, self.end)


def moved(signals: Signals, replaced: Mapping[int, Sequence[Replaced]]) -> Signals:
    """`signals` for the other form of the transcript.

    Args:
        signals: positions are of the one form.
        replaced: for each turn its stretches, in order.
    """
    return signals.model_copy(
        update={
            "reason": _finding(signals.reason, replaced) if signals.reason else None,
            "promises": [_finding(one, replaced) for one in signals.promises],
            "follow_ups": [_finding(one, replaced) for one in signals.follow_ups],
            "complaints": [_finding(one, replaced) for one in signals.complaints],
            "abuse": [_finding(one, replaced) for one in signals.abuse],
        }
    )


def _finding(finding: Finding, replaced: Mapping[int, Sequence[Replaced]]) -> Finding:
    return finding.model_copy(
        update={"evidence": [_evidence(one, replaced.get(one.turn, ())) for one in finding.evidence]}
    )


def _evidence(evidence: Evidence, stretches: Sequence[Replaced]) -> Evidence:
    start, end = evidence.start, evidence.end
    for one in stretches:
        if one.end <= evidence.start:
            start = evidence.start + one.to_end - one.end
        elif one.start < evidence.start:
            start = one.to_start
        if one.end <= evidence.end:
            end = evidence.end + one.to_end - one.end
        elif one.start < evidence.end:
            end = one.to_end
    return evidence.model_copy(update={"start": start, "end": end})
