"""The migrations make the tables that the models describe."""

from __future__ import annotations

import pytest

from otokura.shared.directory import directory_metadata
from otokura.shared.messaging_models import messaging_metadata
from otokura.shared.rewrapping_tables import rewrapping_metadata
from otokura.shared.tombstones import tombstone_metadata
from otokura.transcribe.live.models import LiveProgress
from otokura.transcribe.models import Job
from schema_check import schema_differences


@pytest.mark.postgres
async def test_migrations_and_models_agree(database_url: str) -> None:
    package = "otokura.transcribe.migrations"
    # The slices' tables share one metadata, as far as their models are imported.
    assert LiveProgress.metadata is Job.metadata
    found = await schema_differences(
        database_url,
        package,
        Job.metadata,
        messaging_metadata,
        directory_metadata,
        rewrapping_metadata,
        tombstone_metadata,
    )
    assert [difference for difference in found if "alembic_version" not in str(difference)] == []
