"""Ingest's migrations make the tables that its models describe."""

from __future__ import annotations

import pytest

from otokura.ingest.connections import models  # noqa: F401 - its tables join the metadata
from otokura.ingest.models import Table
from otokura.ingest.webhooks.models import Webhook
from otokura.shared.directory import directory_metadata
from otokura.shared.idempotency import idempotency_metadata
from otokura.shared.messaging_models import messaging_metadata
from otokura.shared.rewrapping_tables import rewrapping_metadata
from otokura.shared.tombstones import tombstone_metadata
from schema_check import schema_differences

pytestmark = pytest.mark.postgres


async def test_migrations_and_models_agree(database_url: str) -> None:
    """What autogeneration would add is nothing."""
    assert Webhook.metadata is Table.metadata
    differences = await schema_differences(
        database_url,
        "otokura.ingest.migrations",
        Table.metadata,
        messaging_metadata,
        idempotency_metadata,
        directory_metadata,
        rewrapping_metadata,
        tombstone_metadata,
    )
    assert differences == []
