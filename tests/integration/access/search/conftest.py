"""What the tests of the index start from: access without its process, and a worker that steps when told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import servers
from feed_workshop import Workshop, workshop


@pytest.fixture
async def shop(
    tmp_path: Path,
    database_url: str,
    object_store: servers.ObjectStoreSettings,
    kafka_settings: dict[str, object],
) -> AsyncIterator[Workshop]:
    """Access's parts in the test's own process."""
    async with workshop(tmp_path, database_url, object_store, kafka_settings) as made:
        yield made
