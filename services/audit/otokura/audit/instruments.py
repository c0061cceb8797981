"""The audit service's metrics."""

from __future__ import annotations

from otokura.shared.metrics import counter, gauge, histogram

SEQUENCED = counter("otokura_audit_entries_total", "Entries sequenced.")
REPEATED = counter("otokura_audit_repeats_total", "Entries that were in the log already.")
REJECTED = counter("otokura_audit_rejected_total", "Messages that did not become entries.")
ALERTS = counter("otokura_audit_alerts_total", "Alerts raised.", ("kind",))
UNPUBLISHED = gauge("otokura_audit_unpublished_count", "Entries sequenced that no checkpoint covers yet.")
PUBLICATION_SECONDS = histogram(
    "otokura_audit_publication_duration_seconds", "Time to publish tiles and a checkpoint."
)
