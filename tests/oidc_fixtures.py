"""Fixtures of tests with an identity provider: access that follows its keys soon, and the provider itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import deepcopy

import pytest

import access_service
import issuer_server
import servers
from access_fixtures import tenant
from oidc_people import PEOPLE, SECONDS, Trust, trust
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer

__all__ = ["access", "issuer", "provider", "tenant", "trusted"]


@pytest.fixture(scope="module")
def provider() -> Iterator[issuer_server.Issuer]:
    """A running OpenID provider."""
    with issuer_server.running(**deepcopy(PEOPLE)) as running:
        yield running


@pytest.fixture
def issuer(provider: issuer_server.Issuer) -> issuer_server.Issuer:
    """The provider, up, honest, and with the people that it had at first. Access may look at its keys."""
    if not provider.program.running:
        provider.start()
    provider.people, provider.lying, provider.logout = deepcopy(PEOPLE), False, None
    provider.apply()
    # The test before may have changed the keys and made access look for them a moment ago.
    time.sleep(float(SECONDS["OTOKURA_OIDC_REFETCH_SECONDS"]))
    return provider


@pytest.fixture(scope="module")
def access(
    postgres_server: PostgresServer, s3_server: SeaweedServer, provider: issuer_server.Issuer
) -> Iterator[access_service.Access]:
    """An access process that looks for new keys soon; after the provider, which may have to be fetched."""
    del provider
    with servers.kafka() as broker:
        kafka = access_service.kafka_of(broker)
        with access_service.running(postgres_server, s3_server, kafka, **SECONDS) as process:
            yield process


@pytest.fixture
def trusted(
    access: access_service.Access, tenant: access_service.Tenant, issuer: issuer_server.Issuer
) -> Trust:
    """A new tenant that trusts the issuer."""
    return trust(access, tenant, issuer)
