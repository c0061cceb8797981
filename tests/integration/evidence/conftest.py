"""Access and audit, and who makes evidence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import evidence_site
import servers
from access_service import Person, Tenant
from evidence_site import Site
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from stamping_authority import StampingAuthority, stamping_authority


@pytest.fixture(scope="module")
def site(
    postgres_server: PostgresServer, s3_server: SeaweedServer, kafka_server: servers.KafkaServer
) -> Iterator[Site]:
    """Both services; every history takes more than one page."""
    few = {"OTOKURA_HISTORY_PAGE": "3"}
    with evidence_site.running(postgres_server, s3_server, kafka_server, **few) as found:
        yield found


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StampingAuthority]:
    """Stamps, until a test says that it is away."""
    with stamping_authority(tmp_path_factory.mktemp("tsa")) as found:
        yield found


@pytest.fixture
def tenant(site: Site) -> Tenant:
    """A new tenant."""
    return site.tenant()


@pytest.fixture
def officer(tenant: Tenant) -> Person:
    """Who makes evidence there."""
    return tenant.person("evidence-officer")
