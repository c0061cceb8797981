"""The S3 store: SeaweedFS `weed mini`, one process, every listener on 127.0.0.1.

Its gRPC ports take no credentials, so it is for one machine and its owner. `-disableHttp` closes the filer's
HTTP port, which would let anybody delete even a locked object.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minio import Minio
from minio.error import MinioException
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import Program, StartError

REGION = "us-east-1"
_START_SECONDS = 60.0
_ATTEMPTS = 3
_SOCKETS = Path("/tmp")  # noqa: S108 - SeaweedFS's choice, which no option changes


@dataclass(frozen=True)
class Identity:
    """Who may do what in the store: actions such as `Read:recordings`, or `Admin`."""

    name: str
    access_key: str
    secret_key: str
    actions: Sequence[str]

    def document(self) -> dict[str, object]:
        """The identity as SeaweedFS reads it."""
        credentials = [{"accessKey": self.access_key, "secretKey": self.secret_key}]
        return {"name": self.name, "credentials": credentials, "actions": list(self.actions)}


def read_write(*buckets: str) -> list[str]:
    """The actions of a service on buckets of its own."""
    return [f"{verb}:{bucket}" for bucket in buckets for verb in ("Read", "Write", "List", "Tagging")]


class SeaweedServer:
    """One store.

    Args:
        folder: where its files go; made when missing.
        port: S3 port on 127.0.0.1; the nine others are chosen at each start.
        identities: who may use it; the first one must be `Admin` and makes the buckets.
        buckets: name → whether it is made with Object Lock.
        synced: buckets whose every write is fsynced.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        identities: Sequence[Identity],
        buckets: dict[str, bool],
        synced: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.port = port
        self.identities = {identity.name: identity for identity in identities}
        self._admin = identities[0]
        self._buckets = buckets
        self._synced = synced
        self._weed = Path(sysconfig.get_path("scripts")) / "weed"
        self._program: Program | None = None
        self._ports: Sequence[int] = ()

    @property
    def endpoint(self) -> str:
        """The S3 endpoint."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def program(self) -> Program:
        """The running server's process."""
        if self._program is None:
            raise StartError("SeaweedFS was not started")
        return self._program

    def start(self) -> None:
        """Start it, wait until it answers S3 requests, and make the buckets that are missing.

        Raises:
            StartError: it did not come up, or died meanwhile; it does not run then.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        config = self.folder / "s3.json"
        with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"identities": [one.document() for one in self.identities.values()]}, file)
        self._launch(data, config)
        try:
            self._make_buckets()
            for bucket in self._synced:
                self._sync_every_write(bucket)
        except (StartError, MinioException, HTTPError, OSError) as error:
            # One that runs without its buckets, or acknowledges what no disk has, is worse than none.
            self.kill()
            raise StartError(f"SeaweedFS was not set up: {error}") from error

    def stop(self) -> None:
        """Stop in order; takes about three seconds."""
        if self._program is not None:
            self._program.stop()
        self._remove_sockets()

    def kill(self) -> None:
        """`kill -9`."""
        self.program.kill()
        self._remove_sockets()

    def discard(self) -> None:
        """Delete every file of it; for tests."""
        shutil.rmtree(self.folder)

    def client(self) -> Minio:
        """A client with the administrator's identity that gives up at once."""
        pool = PoolManager(timeout=Timeout(5.0), retries=Retry(total=0))
        return Minio(
            f"127.0.0.1:{self.port}",
            access_key=self._admin.access_key,
            secret_key=self._admin.secret_key,
            secure=False,
            region=REGION,
            http_client=pool,
        )

    def _launch(self, data: Path, config: Path) -> None:
        """Start it on other internal ports when somebody takes one of the first choice."""
        for attempt in range(_ATTEMPTS):
            self._ports = free_ports(9, internal=True)
            argv = [str(self._weed), *_flags(data, config, self.port, self._ports)]
            log = self.folder / "seaweedfs.log"
            self._program = Program("SeaweedFS", argv, env=self._env(), log=log, port=self.port)
            self._program.start()
            try:
                self._program.wait_until(self._answers, _START_SECONDS)
            except StartError:
                if "address already in use" not in self._program.last_words() or attempt + 1 == _ATTEMPTS:
                    raise
            else:
                return

    def _env(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.folder)}

    def _remove_sockets(self) -> None:
        """Remove what a dead SeaweedFS leaves in a folder that it has built in."""
        for port in (self.port, *self._ports):
            for socket in _SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                socket.unlink(missing_ok=True)

    def _answers(self) -> bool:
        try:
            self.client().list_buckets()
        except (MinioException, HTTPError, OSError):
            return False
        return True

    def _make_buckets(self) -> None:
        client = self.client()
        present = {bucket.name for bucket in client.list_buckets()}
        for name, locked in self._buckets.items():
            if name not in present:
                client.make_bucket(name, object_lock=locked)

    def _sync_every_write(self, bucket: str) -> None:
        """SeaweedFS acknowledges a write before the disk has it, unless a path is configured otherwise."""
        argv = [str(self._weed), "shell", f"-master=127.0.0.1:{self._ports[0]}.{self._ports[1]}"]
        argv.append(f"-filer=127.0.0.1:{self._ports[4]}.{self._ports[5]}")
        command = f"fs.configure -locationPrefix=/buckets/{bucket}/ -fsync -apply\n"
        with subprocess.Popen(  # noqa: S603 - the wheel's own program
            argv,
            env=self._env(),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as shell:
            try:
                told = self._answer_of(shell, command.encode())
            finally:
                shell.kill()
        if shell.returncode or b'"fsync":true' not in told.replace(b" ", b""):
            raise StartError(f"SeaweedFS did not set fsync on {bucket}: {told!r}")

    def _answer_of(self, shell: subprocess.Popen[bytes], command: bytes | None) -> bytes:
        """What it says until it ends; it would wait for ever for a server that died."""
        deadline = time.monotonic() + _START_SECONDS
        while self.program.running and time.monotonic() < deadline:
            try:
                return shell.communicate(command, timeout=1.0)[0]
            except subprocess.TimeoutExpired:
                command = None  # is on its way; communicate goes on where it was
        raise StartError(f"SeaweedFS did not answer its shell; it ended with {self.program.returncode}")


def _flags(data: Path, config: Path, s3_port: int, ports: Sequence[int]) -> list[str]:
    names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port"]
    names += ["filer.port.grpc", "s3.port.grpc", "admin.port", "admin.port.grpc"]
    listeners = [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    fixed = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-disableHttp", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    fixed += ["-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-s3.autoCreateBucket=false"]
    return [
        "-logtostderr=true",
        "mini",
        f"-dir={data}",
        f"-s3.port={s3_port}",
        f"-s3.config={config}",
        *fixed,
        *listeners,
    ]
