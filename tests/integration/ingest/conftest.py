"""The fixtures of ingest's tests."""

from collections.abc import AsyncIterator

import pytest

from dialects.audiohook import Genesys
from ingest_fixtures import client, complaints, credentials, ingest, make_ingest
from ingest_service import Credentials, IngestService

__all__ = ["client", "complaints", "credentials", "ingest", "make_ingest"]


@pytest.fixture
async def genesys(ingest: IngestService, credentials: Credentials) -> AsyncIterator[Genesys]:
    """An AudioHook integration of the test's tenant."""
    found = Genesys(ingest, credentials)
    await found.register(defaults={"purposes": ["quality"], "notice": {"given": "attested"}})
    yield found
    await found.leave()
