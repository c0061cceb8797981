"""The one Alembic environment: a service's `migrations/env.py` calls `run` with its metadata and no more."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, MetaData


def run(*metadata: MetaData) -> None:
    """Runs the migrations on the connection that `otokura.shared.database.migrate` handed over.

    Args:
        metadata: the tables the service expects, for autogeneration.

    Raises:
        RuntimeError: called without a connection, as by the bare `alembic` command.
    """
    connection = context.config.attributes.get("connection")
    if not isinstance(connection, Connection):
        message = "Migrations run through otokura.shared.database.migrate, which brings the connection."
        raise RuntimeError(message)  # noqa: TRY004 - not a wrong type: the wrong way of starting it
    context.configure(connection=connection, target_metadata=list(metadata), compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
