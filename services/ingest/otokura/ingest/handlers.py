"""What ingest hears from Kafka: tenants (it records while access is down), transcripts, and erasures."""

from __future__ import annotations

from otokura.ingest.erasing import IngestPart
from otokura.ingest.webhooks import announcing
from otokura.shared import directory, erasing
from otokura.shared.consumer import Subscription

GROUP = "otokura-ingest"


def subscriptions(part: IngestPart) -> list[Subscription]:
    """Every handler of this service."""
    return [*directory.handlers(), *announcing.subscriptions(), *erasing.subscriptions(part)]
