"""The log's migrations make the tables that its models describe."""

from __future__ import annotations

import pytest

from otokura.audit.models import Table
from otokura.shared.directory import directory_metadata
from otokura.shared.messaging_models import messaging_metadata
from otokura.shared.tombstones import tombstone_metadata
from schema_check import schema_differences

pytestmark = pytest.mark.postgres


async def test_migrations_and_models_agree(database_url: str) -> None:
    """What autogeneration would add is nothing."""
    shared = (messaging_metadata, directory_metadata, tombstone_metadata)
    assert await schema_differences(database_url, "otokura.audit.migrations", Table.metadata, *shared) == []
