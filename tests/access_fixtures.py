"""Fixtures of access's tests: one process with a broker of its own, and tenants of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import access_service
import servers
from history_stub import history_stub
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer


@pytest.fixture(scope=servers.broker_scope)
def access(postgres_server: PostgresServer, s3_server: SeaweedServer) -> Iterator[access_service.Access]:
    """A running access process. It has a broker of its own, for it writes and reads more than all others."""
    with servers.kafka() as broker, history_stub() as audit:
        settings = {"OTOKURA_AUDIT_URL": audit.url}
        kafka = access_service.kafka_of(broker)
        with access_service.running(postgres_server, s3_server, kafka, **settings) as process:
            yield process


@pytest.fixture
def tenant(access: access_service.Access) -> access_service.Tenant:
    """A new tenant."""
    return access.tenant()
