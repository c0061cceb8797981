"""What the security tests of access start from: one process for all, tenants of its own for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import access_service
import servers
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer


@pytest.fixture(scope="session")
def access(postgres_server: PostgresServer, s3_server: SeaweedServer) -> Iterator[access_service.Access]:
    """A running access process with a broker of its own.

    These tests write and read more entries than all others, and Tansu's reads slow down with each batch that
    a partition has ever had.
    """
    with (
        servers.kafka() as broker,
        access_service.running(postgres_server, s3_server, access_service.kafka_of(broker)) as process,
    ):
        yield process


@pytest.fixture
def tenant(access: access_service.Access) -> access_service.Tenant:
    """A new tenant."""
    return access.tenant()
