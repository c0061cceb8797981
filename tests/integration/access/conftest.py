"""One access process for all integration tests of access; each test makes tenants of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import access_service
import servers
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer


@pytest.fixture(scope="session")
def access(
    postgres_server: PostgresServer, s3_server: SeaweedServer, kafka_server: servers.KafkaServer
) -> Iterator[access_service.Access]:
    """A running access process."""
    with access_service.running(postgres_server, s3_server, access_service.kafka_of(kafka_server)) as process:
        yield process


@pytest.fixture
def tenant(access: access_service.Access) -> access_service.Tenant:
    """A new tenant."""
    return access.tenant()
