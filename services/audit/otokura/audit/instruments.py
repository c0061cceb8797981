"""The audit service's metrics."""

from __future__ import annotations

from otokura.shared.metrics import counter, gauge, histogram

SEQUENCED = counter("otokura_audit_entries_total", "Entries sequenced.")
REPEATED = counter("otokura_audit_repeats_total", "Entries that were in the log already.")
REJECTED = counter("otokura_audit_rejected_total", "Messages that did not become entries.")
ALERTS = counter("otokura_audit_alerts_total", "Alerts raised.", ("kind",))
UNPUBLISHED = gauge("otokura_audit_unpublished_count", "Entries sequenced that no checkpoint covers yet.")
OLDEST_UNPUBLISHED = gauge(
    "otokura_audit_oldest_unpublished_seconds", "How long the oldest entry without a checkpoint waits."
)
CHECKPOINT_AGE = gauge("otokura_audit_checkpoint_age_seconds", "Since the newest checkpoint was published.")
LAG = gauge("otokura_audit_lag_count", "Messages of this replica's partitions that are not consumed yet.")
GAPS = gauge("otokura_audit_gaps_count", "Runs of numbers that were reported missing and did not come since.")
MISSING = gauge("otokura_audit_missing_count", "Numbers in these runs.")
PUBLICATION_SECONDS = histogram(
    "otokura_audit_publication_duration_seconds", "Time to publish tiles and a checkpoint."
)
WITNESS_ANSWERS = counter(
    "otokura_audit_witness_answers_total",
    "What became of asking a witness to cosign: cosigned, failed or conflict.",
    ("witness", "outcome"),
)
UNWITNESSED = gauge(
    "otokura_audit_unwitnessed_count", "Entries published that fewer witnesses than the quorum have cosigned."
)
