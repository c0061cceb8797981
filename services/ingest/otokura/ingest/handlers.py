"""What ingest hears from Kafka: tenants, so that it records while access is down, and much else."""

from __future__ import annotations

from otokura.ingest import customer_keys
from otokura.ingest.erasing import IngestPart
from otokura.ingest.webhooks import announcing
from otokura.shared import directory, erasing, wrapped_keys
from otokura.shared.consumer import Subscription

GROUP = "otokura-ingest"


def subscriptions(part: IngestPart) -> list[Subscription]:
    """Every handler of this service."""
    return [
        *directory.handlers(),
        *announcing.subscriptions(),
        *customer_keys.subscriptions(),
        *wrapped_keys.subscriptions(),
        *erasing.subscriptions(part),
    ]
