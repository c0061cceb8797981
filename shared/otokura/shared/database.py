"""A service's own PostgreSQL: one transaction a request or message, migrations under a lock.

Every failure to reach the database, wherever it happens, is raised as `Unavailable`: HTTP answers 503 and
a Kafka handler waits. Nothing connects before the first use.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from importlib import import_module
from typing import Any, cast

import asyncpg
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import Connection, Table, TextClause, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.errors import Unavailable

CONNECT_TIMEOUT_SECONDS = 5.0
STATEMENT_TIMEOUT_SECONDS = 60.0
MIGRATION_LOCK = 0x6F746F6B_75726101
"""Advisory lock key: "otokura" and 1. Every user of advisory locks in Otokura has a last byte of its own."""

# SQLSTATEs that say "not now" rather than "wrong": connection exceptions (class 08), too many connections,
# shutdown and start (PostgreSQL manual, appendix A).
_AWAY_STATES = ("08", "53300", "57P01", "57P02", "57P03")

RETIRED_KEK = "OT001"
"""SQLSTATE of a row that was wrapped by a key-encryption key that is retired
(`otokura.shared.rewrapping`)."""

_SERVER_SETTINGS = {
    # A peer that vanished without a FIN must not hold locks (the relay's among them) for TCP's two hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": "120000",
    "timezone": "UTC",
}


def _is_away(error: BaseException) -> bool:
    state = getattr(error, "sqlstate", None)
    return isinstance(error, OSError | TimeoutError) or (
        isinstance(state, str) and state.startswith(_AWAY_STATES)
    )


def _unavailable() -> Unavailable:
    return Unavailable("The database cannot be reached; try again shortly.")


def _translate(context: ExceptionContext) -> None:
    """SQLAlchemy `handle_error` hook: connectivity failures become `Unavailable` at their source."""
    cause = context.original_exception
    if not isinstance(cause, Exception):
        return  # a task that is cancelled loses its connection too, and must stay cancelled
    driver_error = cause.__cause__ or cause
    if getattr(driver_error, "sqlstate", None) == RETIRED_KEK:
        raise Unavailable("The key that protects this was replaced a moment ago; try again.") from cause
    if context.is_disconnect or _is_away(cause) or _is_away(driver_error):
        raise _unavailable() from cause


async def _read_json(connection: Any) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _keep(_connection: Any) -> None:
    """One query leaves nothing on a connection that would have to be reset, which is a round trip."""


class Database:
    """A pool of connections to one database.

    Args:
        url: `postgresql+asyncpg://user:password@host:port/name`.
        pool_size: connections kept; half as many again are opened when all are busy. `row` has as many
            of its own.
        application_name: shown in `pg_stat_activity`.
        statement_timeout: seconds after which a statement is given up as `Unavailable`; None: never.
    """

    def __init__(
        self,
        url: SecretStr | str,
        *,
        pool_size: int = 10,
        application_name: str = "otokura",
        statement_timeout: float | None = STATEMENT_TIMEOUT_SECONDS,
    ) -> None:
        self._size = pool_size
        self._connect_args: dict[str, Any] = {
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "command_timeout": statement_timeout,
            "server_settings": {**_SERVER_SETTINGS, "application_name": application_name},
        }
        self.engine: AsyncEngine = create_async_engine(
            url.get_secret_value() if isinstance(url, SecretStr) else url,
            pool_size=pool_size,
            max_overflow=pool_size // 2,
            pool_timeout=CONNECT_TIMEOUT_SECONDS,
            connect_args=self._connect_args,
            hide_parameters=True,
        )
        event.listen(self.engine.sync_engine, "handle_error", _translate)
        self._sessions = async_sessionmaker(self.engine, class_=AsyncSession, expire_on_commit=False)
        self._compiled = lru_cache(maxsize=64)(self._compile)
        self._direct: Any = None  # an asyncpg.Pool, whose types are partial
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[AsyncSession, None]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises:
            Unavailable: the database cannot be reached, or was lost before the commit was confirmed.
        """
        async with self._sessions() as session:
            try:
                await session.connection()
            except (OSError, TimeoutError, PoolTimeoutError) as error:
                raise _unavailable() from error
            yield session
            await session.commit()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection, None]:
        """A connection without a transaction, for one query: one round trip in the place of three.

        Raises:
            Unavailable: the database cannot be reached.
        """
        try:
            connection = await self.engine.connect()
        except (OSError, TimeoutError, PoolTimeoutError) as error:
            raise _unavailable() from error
        try:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")
        finally:
            await connection.close()

    async def row(self, statement: TextClause, values: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The one row of a query, or None, without a transaction and without SQLAlchemy on the way.

        For what every read asks: SQLAlchemy would be four fifths of its time.

        Args:
            statement: its columns with names of their own; JSONB comes as what it holds.
            values: of its parameters.

        Raises:
            Unavailable: the database cannot be reached.
        """
        query, names = self._compiled(statement)
        try:
            pool = self._direct or await self._open_direct()
            async with pool.acquire(timeout=CONNECT_TIMEOUT_SECONDS) as connection:
                found: list[Mapping[str, Any]] = await connection.fetch(query, *map(values.get, names))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if _is_away(error) or isinstance(error, asyncpg.InterfaceError):
                raise _unavailable() from error
            raise
        if len(found) > 1:
            raise AssertionError("a query for one row found several")
        return found[0] if found else None

    async def _open_direct(self) -> Any:
        async with self._opening:
            if self._direct is None:
                where = self.engine.dialect.create_connect_args(self.engine.url)[1]
                self._direct = await asyncpg.create_pool(
                    **where,
                    **self._connect_args,
                    min_size=0,
                    max_size=self._size,
                    init=_read_json,
                    reset=_keep,
                )
        return self._direct

    def _compile(self, statement: TextClause) -> tuple[str, tuple[str, ...]]:
        """The query as asyncpg takes it, and which value is which of its parameters."""
        compiled = statement.compile(dialect=self.engine.dialect)
        return str(compiled), tuple(compiled.positiontup or ())

    async def ping(self) -> None:
        """One round trip.

        Raises:
            Unavailable: the database cannot be reached.
        """
        async with self.session() as session:
            await (await session.connection()).execute(text("SELECT 1"))

    async def close(self) -> None:
        """Closes every connection."""
        await self.engine.dispose()
        if self._direct is not None:
            await self._direct.close()


async def copy_rows(
    session: AsyncSession, table: Table, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Inserts many rows by COPY, in the session's transaction: a quarter of the time of an INSERT.

    Args:
        session: the transaction.
        table: into which.
        columns: the names of what each row holds; the others get their defaults.
        rows: values as asyncpg takes them for the columns' types.

    Raises:
        IntegrityError: SQLAlchemy's: a constraint is violated. The transaction must be rolled back.
        Unavailable: the database cannot be reached.
    """
    connection = await session.connection()
    driver = cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)
    if not driver.is_in_transaction():
        await connection.execute(
            text("SELECT 1")
        )  # SQLAlchemy begins with the first statement: COPY is past it
    try:
        await driver.copy_records_to_table(table.name, records=rows, columns=columns)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise IntegrityError(f"COPY {table.name}", None, error, hide_parameters=True) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        if not _is_away(error) and not driver.is_closed():
            raise
        raise _unavailable() from error


async def migrate(url: SecretStr | str, package: str) -> None:
    """Brings the database to the newest version of a service's migrations.

    Replicas that start together take turns under an advisory lock; the later ones find nothing to do.

    Args:
        url: as for `Database`.
        package: the migrations' package, such as `otokura.ingest.migrations`.

    Raises:
        Unavailable: the database cannot be reached.
    """
    database = Database(url, pool_size=1, statement_timeout=None)
    try:
        async with database.session() as session:
            connection = await session.connection()
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            await connection.run_sync(upgrade, package)
    finally:
        await database.close()


def alembic_config(package: str, **attributes: Any) -> Config:
    """Alembic's configuration for a package of migrations, without an ini file."""
    config = Config()
    location = next(iter(import_module(package).__path__))
    config.set_main_option("script_location", location.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(attributes)
    return config


def upgrade(connection: Connection, package: str) -> None:
    """Runs `alembic upgrade head` on an open connection, inside its transaction."""
    command.upgrade(alembic_config(package, connection=connection), "head")
