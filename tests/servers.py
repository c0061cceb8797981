"""The real servers of the tests: started once a session (a broker: once a module), ended with it.

`OTOKURA_TEST_KAFKA=apache` puts Apache Kafka in the place of Tansu; nothing else changes.
"""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import pytest
from minio import Minio

from otokura.cli.local.apache_kafka import ApacheKafkaServer
from otokura.cli.local.layout import ACTIONS, BUCKETS
from otokura.cli.local.ports import free_ports
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.program import StartError
from otokura.cli.local.seaweedfs import Identity, SeaweedServer
from otokura.cli.local.tansu import TansuServer, TansuStore

KafkaServer = TansuServer | ApacheKafkaServer
Server = TypeVar("Server", PostgresServer, SeaweedServer, TansuServer, ApacheKafkaServer)


@dataclass(frozen=True)
class ObjectStoreSettings:
    """How to reach the store as one identity; the names are those of `otokura.shared.objects.ObjectStore`."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"


def object_store_settings(server: SeaweedServer, identity: str) -> ObjectStoreSettings:
    """How to reach `server` as one of its identities: `test`, or a service's name."""
    who = server.identities[identity]
    return ObjectStoreSettings(server.endpoint, who.access_key, who.secret_key)


def s3_client(settings: ObjectStoreSettings) -> Minio:
    """The store past our own code."""
    where = urlsplit(settings.endpoint).netloc
    return Minio(where, settings.access_key, settings.secret_key, secure=False, region=settings.region)


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """A folder that PostgreSQL's user can pass through, unlike pytest's own when we are root."""
    with tempfile.TemporaryDirectory(prefix=f"otokura-test-{name}-") as folder:
        path = Path(folder)
        path.chmod(0o711)
        yield path


@contextmanager
def postgres(*, lasting: bool = False) -> Iterator[PostgresServer]:
    """PostgreSQL without fsync: the tests kill processes, not the machine's power.

    A commit still waits for its write: what is only in the server's memory dies with the server.

    Args:
        lasting: with fsync, as it is run: for figures of what a commit costs.
    """
    options = () if lasting else ("fsync=off", "full_page_writes=off")
    with scratch_folder("postgresql") as folder:
        server = started(lambda port: PostgresServer(folder, port=port, password="test", options=options))
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def s3() -> Iterator[SeaweedServer]:
    """The store with its buckets and one identity a service, and `test`, which may do everything."""
    names = {"test": ["Admin"], **ACTIONS}
    identities = [
        Identity(name, f"{name}-key", secrets.token_urlsafe(24), actions) for name, actions in names.items()
    ]
    with scratch_folder("s3") as folder:
        server = started(
            lambda port: SeaweedServer(folder, port=port, identities=identities, buckets=BUCKETS)
        )
        try:
            yield server
        finally:
            server.kill()  # an orderly stop takes seconds, and nobody will read the data


def on_apache_kafka() -> bool:
    """Whether Apache Kafka is in the place of Tansu."""
    return os.environ.get("OTOKURA_TEST_KAFKA") == "apache"


def broker_scope(fixture_name: str, config: pytest.Config) -> Literal["module", "session"]:  # noqa: ARG001 - pytest names them
    """The scope of a broker and of what runs on it: Apache Kafka starts too slowly for one in each module.

    In a module of its own a test meets no dead members of another's groups, whose time-out it would wait for.
    """
    return "session" if on_apache_kafka() else "module"


@contextmanager
def kafka(*, lasting: bool = False) -> Iterator[KafkaServer]:
    """The broker under test.

    Args:
        lasting: a killed broker comes back with its records, as a real one does. Tansu then keeps them in a
            store of its own, lists that at each fetch, and so slows down with each batch it ever had;
            without, they are in its memory.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(scratch_folder("kafka"))
        if on_apache_kafka():
            server: KafkaServer = started(lambda port: ApacheKafkaServer(folder, port=port))
        else:
            records: TansuStore | None = None
            if lasting:
                store = stack.enter_context(s3())
                records = TansuStore(store.endpoint, store.identities["broker"])
            server = started(lambda port: TansuServer(folder, port=port, store=records))
        try:
            yield server
        finally:
            server.stop()


def started(make: Callable[[int], Server], attempts: int = 3) -> Server:
    """Start a server on a free port; another program may take the port first, so try again."""
    for attempt in range(attempts):
        server = make(free_ports(1)[0])
        try:
            server.start()
        except StartError:
            if attempt == attempts - 1:
                raise
        else:
            return server
    raise AssertionError("unreachable: the last attempt returns or raises")


PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For what speaks plain HTTP, and is made often: httpx would read all certificates each time, for 50 ms."""


def inherited_environment() -> dict[str, str]:
    """What a service that a test starts may know of the environment: where programs and code are."""
    names = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH")
    return {name: os.environ[name] for name in names if name in os.environ}
