"""The whole of Otokura on one machine: three servers and four services, started, watched and stopped."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import os
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Self

from otokura.cli.local import running
from otokura.cli.local.apache_kafka import ApacheKafkaServer
from otokura.cli.local.environment import LOG_ORIGIN, Servers, service_environment
from otokura.cli.local.layout import BUCKETS, SERVICES, Layout, Secrets
from otokura.cli.local.ports import choose_ports
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.private import public_bytes, signing_key, write_private_json
from otokura.cli.local.program import StartError
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.cli.local.service_process import ServiceProcess
from otokura.cli.local.supervised import Startable, Supervised
from otokura.cli.local.tansu import TansuServer, TansuStore

PORTS = ("postgresql", "s3", "kafka", *SERVICES, "audiosocket")


def _silent(_: str) -> None:
    """Tells nobody."""


class Stack:
    """A local Otokura in a data folder; `with Stack(folder) as stack:` starts and stops it.

    Args:
        folder: holds everything of it; made at the first start, used again at the next.
        ports: ports that must be these; the others are chosen.
        settings: more `OTOKURA_…` variables for a service.
        kafka: `tansu`, or `apache` for Apache Kafka.
        bootstrap_token: makes the first operator; access gets it as long as there is none.
        tell: gets what happens, a line at a time.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ports: Mapping[str, int] | None = None,
        settings: Mapping[str, Mapping[str, str]] | None = None,
        kafka: str = "tansu",
        bootstrap_token: str | None = None,
        tell: Callable[[str], None] = _silent,
    ) -> None:
        self.layout = Layout(folder.resolve())
        self.parts: dict[str, Supervised] = {}
        self.services: dict[str, ServiceProcess] = {}
        self._given = ports or {}
        self._settings = {name: dict(more) for name, more in (settings or {}).items()}
        if bootstrap_token is not None:
            self._settings.setdefault("access", {})["OTOKURA_BOOTSTRAP_TOKEN"] = bootstrap_token
        self._kafka = kafka
        self._tell = tell
        self._lock: IO[bytes] | None = None
        self._servers: Servers | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, service: str) -> str:
        """The address of a service."""
        return self.services[service].url

    def start(self) -> None:
        """Start everything and wait until every service is ready.

        Raises:
            StartError: something did not come up, or a stack already runs in this folder.
            ValueError: a port that was given cannot be used.
        """
        secrets = self.layout.prepare()
        self._take_lock()
        running.end_leftovers(self.layout.state)
        ports = choose_ports(PORTS, given=self._given, remembered=self.layout.ports)
        servers = self._servers = self._start_servers(secrets, ports)
        for name in SERVICES:
            environment = service_environment(name, layout=self.layout, secrets=secrets, servers=servers)
            settings = environment | self._settings.get(name, {})
            service = ServiceProcess(name, ports[name], settings, self.layout.log_of(name))
            self.services[name] = service
            self._keep(name, service, service.launch)
            service.launch()
        for service in self.services.values():
            self._tell(f"Waiting for {service.name}")
            service.wait_ready()
        self._record()

    def stop(self) -> None:
        """Stop everything, the services (all at once) before the servers that they need."""
        for service in self.services.values():
            service.program.ask_to_stop()
        for name in reversed(self.parts):
            self._tell(f"Stopping {name}")
            self.parts[name].stop()
        self.parts.clear()
        if self._lock is not None:
            self.layout.state.unlink(missing_ok=True)
            self.layout.log_place.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def supervise(self) -> list[str]:
        """Start again what died; call it every second or so. Says what happened."""
        events = [event for part in self.parts.values() if (event := part.check()) is not None]
        if events:
            self._record()
        return events

    def restarts(self) -> dict[str, int]:
        """How often each part was started again."""
        return {name: part.restarts for name, part in self.parts.items()}

    def _start_servers(self, secrets: Secrets, ports: Mapping[str, int]) -> Servers:
        folder = self.layout.folder
        self._tell("Starting PostgreSQL")
        postgres = PostgresServer(folder / "postgresql", port=ports["postgresql"], password=secrets.postgres)
        for notice in postgres.notices:
            self._tell(notice)
        self._keep("postgresql", postgres, postgres.start)
        postgres.start()
        for name, password in secrets.databases.items():
            _run(postgres.create_database(name, password))
        self._tell("Starting SeaweedFS")
        identities = secrets.identities()
        store = SeaweedServer(
            folder / "s3", port=ports["s3"], identities=identities, buckets=BUCKETS, synced=["audit-log"]
        )
        self._keep("s3", store, store.start)
        store.start()
        self._tell("Starting the Kafka broker")
        broker = self._broker(store, ports["kafka"])
        self._keep("kafka", broker, broker.start)
        broker.start()
        return Servers(postgres, store, broker, ports["audiosocket"], ports["audit"])

    def _broker(self, store: SeaweedServer, port: int) -> TansuServer | ApacheKafkaServer:
        if self._kafka == "apache":
            return ApacheKafkaServer(self.layout.folder / "apache-kafka", port=port)
        identity = store.identities["broker"]
        records = TansuStore(store.endpoint, identity)
        return TansuServer(self.layout.folder / "kafka", port=port, store=records)

    def _keep(self, name: str, target: Startable, start: Callable[[], None]) -> None:
        part = Supervised(name, target, start)
        part.started()
        self.parts[name] = part

    def _take_lock(self) -> None:
        lock = self.layout.lock.open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise StartError(
                f"Otokura already runs on {self.layout.folder}; stop it first, or give --data"
            ) from None
        self._lock = lock

    def _record(self) -> None:
        """Write down where everything is, for the other commands and for a start after our death."""
        servers = self._servers
        if servers is None:
            return
        # One may die while this is written; it is written again when its death is noticed.
        pids = {name: part.target.program.pid for name, part in self.parts.items()}
        running.RunningStack(
            stack=running.ProcessId.of(os.getpid()),
            urls={name: service.url for name, service in self.services.items()},
            postgresql=servers.postgres.address,
            s3_endpoint=servers.store.endpoint,
            kafka_bootstrap=servers.broker.bootstrap,
            kafka_idempotence=servers.broker.idempotence,
            audiosocket=f"127.0.0.1:{servers.audiosocket_port}",
            processes=running.living(pids),
        ).write(self.layout.state)
        public_key = base64.b64encode(public_bytes(signing_key(self.layout.log_key))).decode()
        place = {"url": f"{self.services['audit'].url}/log", "origin": LOG_ORIGIN, "public_key": public_key}
        write_private_json(self.layout.log_place, place)


def _run(coroutine: Coroutine[Any, Any, object]) -> None:
    """Run to the end, also when the calling thread has an event loop."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(asyncio.run, coroutine).result()
