"""What insight measures about itself."""

from __future__ import annotations

from otokura.shared import metrics

SUMMARIES = metrics.counter(
    "otokura_transcribe_summaries_total", "Summaries by how they were made.", ("method",)
)
SUMMARY_FAILURES = metrics.counter(
    "otokura_transcribe_summary_failures_total",
    "Summaries that the endpoint did not make, by reason: an extractive one stands in their place.",
    ("reason",),
)
INSIGHT_FAILURES = metrics.counter(
    "otokura_transcribe_insight_failures_total", "Transcripts that were stored without signals: defects."
)
