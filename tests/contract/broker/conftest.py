"""The suite judges a broker that keeps what it acknowledged, as the product's brokers do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import servers


@pytest.fixture(scope=servers.broker_scope)
def kafka_server() -> Iterator[servers.KafkaServer]:
    """A broker that comes back with its records."""
    with servers.kafka(lasting=True) as server:
        yield server
