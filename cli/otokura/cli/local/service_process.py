"""One of the four services as a process of this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from otokura.cli.local.program import Program

_READY_SECONDS = 120.0
_STOP_SECONDS = 30.0
_LOG_BYTES = 50_000_000
# A proxy in our environment is for the world, not for 127.0.0.1.
_DIRECT = build_opener(ProxyHandler({}))


class ServiceProcess:
    """`python -m otokura.<name>`.

    Args:
        name: the service.
        port: where it listens on 127.0.0.1.
        settings: its `OTOKURA_…` variables, without the port's.
        log: file that gets its output.
    """

    def __init__(self, name: str, port: int, settings: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("OTOKURA_")}
        env = {**inherited, **settings, "OTOKURA_PORT": str(port)}
        # -P: the folder that we happen to be in is no place to import from.
        argv = [sys.executable, "-P", "-m", f"otokura.{name}"]
        self.program = Program(name, argv, env=env, log=log, port=port)

    def launch(self) -> None:
        """Start it without waiting. A large log of earlier runs is set aside first."""
        log = self.program.log
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".log.old"))
        self.program.start()

    def wait_ready(self) -> None:
        """Wait until it is ready to serve."""
        self.program.wait_until(self.ready, _READY_SECONDS)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        """Let it finish what it is doing and stop."""
        self.program.stop(_STOP_SECONDS)

    def kill(self) -> None:
        """`kill -9`."""
        self.program.kill()

    def ready(self) -> bool:
        """Whether `/readyz` says so."""
        try:
            with _DIRECT.open(f"{self.url}/readyz", timeout=5.0) as response:
                return bool(response.status == 200)  # noqa: PLR2004
        except (HTTPError, OSError, HTTPException):
            return False
