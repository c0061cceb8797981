"""What webhooks measure about themselves."""

from __future__ import annotations

from otokura.shared.metrics import counter, gauge, histogram

ATTEMPTS = counter(
    "otokura_ingest_webhook_attempts_total",
    "Requests to endpoints, by outcome: delivered, refused (any other status), or why no status came.",
    ("outcome",),
)
ATTEMPT_SECONDS = histogram("otokura_ingest_webhook_attempt_duration_seconds", "Time that an attempt took.")
GIVEN_UP = counter(
    "otokura_ingest_webhook_deliveries_failed_total", "Deliveries whose last attempt failed too."
)
DISABLED = counter("otokura_ingest_webhooks_disabled_total", "Endpoints disabled, by reason.", ("reason",))
OLDEST_DUE = gauge(
    "otokura_ingest_webhook_oldest_due_seconds",
    "How long the delivery that waits longest has been due, over all enabled endpoints.",
)
