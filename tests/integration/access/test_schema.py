"""Access's migrations make the tables that its models describe, and keep the keys that there were."""

from __future__ import annotations

from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import Connection, text

from otokura.access.break_glass import models as break_glass
from otokura.access.feeds import models as feeds
from otokura.access.grants import models as grants
from otokura.access.identity import models as identity
from otokura.access.lifecycle import models as lifecycle
from otokura.access.logins import models as logins
from otokura.access.models import Table
from otokura.access.oidc import models as oidc
from otokura.access.policy import models as policy
from otokura.access.reads import models as reads
from otokura.access.rotations import models as rotations
from otokura.access.search import models as search
from otokura.access.signals import models as signals
from otokura.access.tenancy import models as tenancy
from otokura.access.transcriptions import models as transcriptions
from otokura.shared.database import Database, alembic_config, migrate
from otokura.shared.idempotency import idempotency_metadata
from otokura.shared.messaging_models import messaging_metadata
from otokura.shared.rewrapping_tables import rewrapping_metadata
from otokura.shared.tombstones import tombstone_metadata
from schema_check import schema_differences

pytestmark = pytest.mark.postgres
MIGRATIONS = "otokura.access.migrations"
SLICES = (
    break_glass,
    feeds,
    grants,
    identity,
    lifecycle,
    logins,
    oidc,
    policy,
    reads,
    rotations,
    search,
    signals,
    tenancy,
    transcriptions,
)


async def test_migrations_and_models_agree(database_url: str) -> None:
    """What autogeneration would add is nothing, but for the defaults that upserts of the read model need."""
    assert all(slice_.Table is Table for slice_ in SLICES)
    metadata = (
        Table.metadata,
        messaging_metadata,
        idempotency_metadata,
        rewrapping_metadata,
        tombstone_metadata,
    )
    found = await schema_differences(database_url, MIGRATIONS, *metadata)
    columns = ("transcripts', 'version'", "transcripts', 'failed_version'")
    expected = ("alembic_version", *(f"'modify_default', None, '{one}" for one in ("calls'", *columns)))
    assert [one for one in found if not any(part in str(one) for part in expected)] == []


@pytest.mark.guarantee("W5")
async def test_a_key_from_before_there_could_be_two_is_kept(database_url: str) -> None:
    client, hashed = uuid4(), "ab" * 32

    def first(connection: Connection) -> None:
        command.upgrade(alembic_config(MIGRATIONS, connection=connection), "0001")

    database = Database(database_url, pool_size=1)
    try:
        async with database.session() as session:
            connection = await session.connection()
            await connection.run_sync(first)
            await connection.execute(
                text(
                    "INSERT INTO principals (id, name, kind, roles, secret_sha256, api_key_sha256, version,"
                    " created_at) VALUES (:id, 'CTI', 'client', '{vendor}', 'x', :hashed, 1, now())"
                ),
                {"id": client, "hashed": hashed},
            )
        await migrate(database_url, MIGRATIONS)
        async with database.session() as session:
            query = text("SELECT principal_id, sha256, expires_at, withdrawn_at FROM api_keys")
            rows = (await (await session.connection()).execute(query)).all()
    finally:
        await database.close()
    assert [tuple(row) for row in rows] == [(client, hashed, None, None)]
