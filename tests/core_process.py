"""`core_server.py` as a process of its own: for what only shows over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

import servers
from core import ENVIRONMENT
from otokura.cli.local.ports import free_ports

SCRIPT = Path(__file__).parent / "core_server.py"


@dataclass
class Server:
    """A running server, and what it has logged once it has ended."""

    process: asyncio.subprocess.Process
    port: int

    @property
    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", verify=servers.PLAIN)

    async def stop(self) -> list[dict[str, Any]]:
        self.process.send_signal(signal.SIGTERM)
        out, _ = await self.process.communicate()
        return [json.loads(line) for line in out.splitlines()]


@asynccontextmanager
async def serving(**environment: str) -> AsyncIterator[Server]:
    """A server with these variables beside the usual ones."""
    port = free_ports(1)[0]
    variables = {**servers.inherited_environment(), **ENVIRONMENT, "OTOKURA_PORT": str(port), **environment}
    process = await asyncio.create_subprocess_exec(
        sys.executable, SCRIPT, env=variables, stdout=asyncio.subprocess.PIPE
    )
    running = Server(process, port)
    async with running.client as client:
        while process.returncode is None:
            with contextlib.suppress(httpx.ConnectError):
                await client.get("/healthz")
                break
            await asyncio.sleep(0.05)
    yield running
    if process.returncode is None:
        process.kill()
        await process.communicate()
