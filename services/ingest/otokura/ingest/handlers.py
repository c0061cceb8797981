"""What ingest hears from Kafka: tenants and their clients, so that it records while access is down."""

from __future__ import annotations

from otokura.shared import directory
from otokura.shared.consumer import Subscription

GROUP = "otokura-ingest"


def subscriptions() -> list[Subscription]:
    """Every handler of this service."""
    return directory.handlers()
