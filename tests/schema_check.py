"""Whether a service's migrations make exactly the tables that its models describe."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from otokura.shared.database import Database, migrate


async def schema_differences(database_url: str, package: str, *metadata: MetaData) -> list[Any]:
    """What `alembic revision --autogenerate` would write after all migrations: an empty list means nothing.

    Args:
        database_url: an empty database.
        package: the migrations, such as `otokura.ingest.migrations`.
        metadata: the service's own, and those of `otokura.shared` that it uses.
    """
    expected = MetaData()
    for one in metadata:
        for table in one.sorted_tables:
            table.to_metadata(expected)

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, expected))

    await migrate(database_url, package)
    database = Database(database_url)
    try:
        async with database.session() as session:
            return await (await session.connection()).run_sync(compare)
    finally:
        await database.close()
