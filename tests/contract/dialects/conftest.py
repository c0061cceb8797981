"""Every dialect, and an ingest to speak it to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import servers
from dialects.dialect import Dialect
from dialects.every import EVERY
from ingest_fixtures import client, complaints, credentials, make_ingest, starting_ingest
from ingest_service import IngestService
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer

__all__ = ["client", "complaints", "credentials", "make_ingest"]


@pytest.fixture(scope="session")
def patient(postgres_server: PostgresServer, s3_server: SeaweedServer) -> Iterator[IngestService]:
    """One ingest for the whole suite: every test has a tenant of its own.

    On a broker of its own: it lives until the session ends, and in one consumer group with a later ingest
    it would hear what was told to that.
    """
    with servers.kafka() as broker, starting_ingest(postgres_server, s3_server, broker) as make:
        yield make(lease_seconds=3, flush_seconds=1.0)


@pytest.fixture(scope="module")
def ingest(patient: IngestService) -> IngestService:
    """The ingest of the suite; a module may have another."""
    return patient


@pytest.fixture(params=EVERY, ids=lambda dialect: dialect.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Each dialect in turn."""
    spoken: Dialect = request.param
    return spoken


@pytest.fixture(params=[one for one in EVERY if one.placed], ids=lambda dialect: dialect.name)
def placed(request: pytest.FixtureRequest) -> Dialect:
    """Each dialect whose pieces say where they belong."""
    spoken: Dialect = request.param
    return spoken
