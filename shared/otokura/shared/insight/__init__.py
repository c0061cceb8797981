"""Signals and summaries of calls: what they are, and the rules by which words become findings."""

from otokura.shared.insight.models import (
    Evidence,
    Finding,
    Interruption,
    Signals,
    Silence,
    Span,
    SpeedUnit,
    Summary,
    SummaryMethod,
    SummarySentence,
    Talk,
)
from otokura.shared.insight.settings import FindingKind, InsightRule, InsightRules

__all__ = [
    "Evidence",
    "Finding",
    "FindingKind",
    "InsightRule",
    "InsightRules",
    "Interruption",
    "Signals",
    "Silence",
    "Span",
    "SpeedUnit",
    "Summary",
    "SummaryMethod",
    "SummarySentence",
    "Talk",
]
