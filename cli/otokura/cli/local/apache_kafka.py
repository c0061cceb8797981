"""Apache Kafka 4 in KRaft mode, one node that is broker and controller; needs Java 17 or newer."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import Program, StartError, accepts

_START_SECONDS = 90.0
_HEAP = ("-Xms256m", "-Xmx512m")


def default_libraries() -> Path:
    """Where `make kafka` puts it: `OTOKURA_TEST_KAFKA_JARS`, or `.cache/kafka` of the current folder."""
    return Path(os.environ.get("OTOKURA_TEST_KAFKA_JARS", ".cache/kafka")).resolve()


class ApacheKafkaServer:
    """One broker.

    Args:
        folder: where its files go; made when missing.
        port: TCP port on 127.0.0.1; the controller's is chosen here.
        libraries: folder with Kafka's jar files.
        readers: users and their passwords. With them the broker keeps access lists, and readers come in by a
            listener of their own (SASL, SCRAM-SHA-256), where they may do what its lists say. Whoever comes
            in by the other one is a service, and may do everything.
    """

    idempotence = True

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        libraries: Path | None = None,
        readers: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.port = port
        self._libraries = libraries or default_libraries()
        self._readers = dict(readers or {})
        self._controller, self._readers_port = free_ports(2, internal=True)
        self._program: Program | None = None

    @property
    def bootstrap(self) -> str:
        """Kafka's `bootstrap.servers`."""
        return f"127.0.0.1:{self.port}"

    @property
    def readers_bootstrap(self) -> str:
        """`bootstrap.servers` for readers."""
        return f"127.0.0.1:{self._readers_port}"

    @property
    def program(self) -> Program:
        """The running broker's process."""
        if self._program is None:
            raise StartError("Apache Kafka was not started")
        return self._program

    def start(self) -> None:
        """Format its storage when there is none, start it, and wait until it accepts connections."""
        java = shutil.which("java")
        if java is None or not any(self._libraries.glob("kafka_*.jar")):
            raise StartError(
                f"Apache Kafka needs Java 17 and its jar files in {self._libraries}: scripts/fetch-kafka"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = self.folder / "server.properties"
        properties.write_text(self._properties(), encoding="ascii")
        base = [java, *_HEAP, "-cp", f"{self._libraries}/*"]
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin")}
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(base, properties, env)
        argv = [*base, "kafka.Kafka", str(properties)]
        self._program = Program("Apache Kafka", argv, env=env, log=self.folder / "kafka.log", port=self.port)
        self._program.start()
        self._program.wait_until(lambda: accepts(self.port), _START_SECONDS)

    def stop(self) -> None:
        """Stop in order."""
        if self._program is not None:
            self._program.stop(timeout=30.0)

    def kill(self) -> None:
        """`kill -9`."""
        self.program.kill()

    def discard(self) -> None:
        """Delete every file of it; for tests."""
        shutil.rmtree(self.folder)

    def _format(self, base: list[str], properties: Path, env: dict[str, str]) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        argv = [
            *base,
            "kafka.tools.StorageTool",
            "format",
            "-t",
            cluster,
            "-c",
            str(properties),
            "--standalone",
        ]
        for name, password in self._readers.items():
            argv += ["--add-scram", f"SCRAM-SHA-256=[name={name},password={password}]"]
        done = subprocess.run(argv, env=env, cwd="/", capture_output=True, check=False)  # noqa: S603 - Kafka's tool
        if done.returncode:
            raise StartError(
                f"Kafka's storage could not be formatted:\n{done.stderr.decode(errors='replace')}"
            )

    def _properties(self) -> str:
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self._controller}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{self._controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self.folder / "data",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "log.cleaner.dedupe.buffer.size": 4194304,
        }
        if self._readers:
            settings |= self._guarded(settings)
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _guarded(self, settings: Mapping[str, object]) -> dict[str, object]:
        """A listener for readers, and an authorizer that denies whatever its lists do not say."""
        readers = f"READERS://{self.readers_bootstrap}"
        login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        return {
            "listeners": f"{settings['listeners']},{readers}",
            "advertised.listeners": f"{settings['advertised.listeners']},{readers}",
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,READERS:SASL_PLAINTEXT"
            ),
            "sasl.enabled.mechanisms": "SCRAM-SHA-256",
            "listener.name.readers.scram-sha-256.sasl.jaas.config": login,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:ANONYMOUS",
        }
