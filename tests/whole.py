"""The whole of Otokura for tests: the local stack with its demo tenant, and what a test may know of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sqlalchemy import text

import servers
from otokura.cli.api.http import Api, ApiError
from otokura.cli.calls.vendor import SETTLED, NewCall, Vendor
from otokura.cli.calls.wav import read_wav
from otokura.cli.credentials import Credentials
from otokura.cli.demo.tenant import AGENT_ID, ensure_tenant
from otokura.cli.local.layout import SERVICES
from otokura.cli.local.session import watched
from otokura.cli.local.stack import Stack
from otokura.cli.target import Target, running_target
from otokura.shared.database import Database

BOOTSTRAP = "a token that the tests know, and nobody else"
PATIENCE = 600.0
"""Seconds after which something that should happen by itself counts as never happening."""


@dataclass
class Whole:
    """A running stack.

    Attributes:
        stack: its parts, to stop and to kill.
        told: what the stack said, such as that a part ended and runs again.
    """

    stack: Stack
    told: list[str] = field(default_factory=list[str])

    @property
    def target(self) -> Target:
        """Where everything is, as the commands see it."""
        return running_target(self.stack.layout.folder)

    @property
    def credentials(self) -> Credentials:
        """The demo tenant's people."""
        return Credentials.read(self.stack.layout.credentials)

    @property
    def api_key(self) -> str:
        """The API key of the demo tenant's phone system."""
        key = self.credentials.principals["vendor"].api_key
        assert key is not None
        return key

    @contextmanager
    def api(self, who: str, service: str = "access", *, source: str | None = None) -> Iterator[Api]:
        """A service asked by one of the demo tenant's people, from 127.0.0.1 (the office) or elsewhere."""
        urls = (self.stack.url("access"), self.stack.url(service))
        with self.credentials.api(who, *urls, source=source) as api:
            yield api

    @contextmanager
    def vendor(self) -> Iterator[Vendor]:
        """The phone system of the demo tenant."""
        vendor = Vendor(self.stack.url("ingest"), self.api_key)
        try:
            yield vendor
        finally:
            vendor.close()

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[Database]:
        """A service's own database."""
        password = self.stack.layout.prepare().databases[service]
        url = f"postgresql+asyncpg://{service}:{password}@{self.target.stack.postgresql}/{service}"
        database = Database(url, pool_size=2)
        try:
            yield database
        finally:
            await database.close()

    async def query(self, service: str, statement: str, **values: Any) -> list[Any]:
        """Rows of a service's database."""
        async with self.database(service) as database, database.session() as session:
            result = await (await session.connection()).execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    def complaints(self) -> list[str]:
        """What the services logged as errors; not what aiokafka says of every connection that breaks."""
        files = [self.stack.layout.log_of(service) for service in SERVICES]
        lines = [line for file in files for line in file.read_text().splitlines()]
        wrong = ('"level":"error"', '"level":"critical"')
        return [
            line
            for line in lines
            if '"logger":"aiokafka' not in line and any(level in line for level in wrong)
        ]


@contextmanager
def whole_system(settings: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[Whole]:
    """A new stack in a folder of its own, watched: what dies is started again."""
    with servers.scratch_folder("whole") as folder:
        stack = Stack(folder, settings=settings, bootstrap_token=BOOTSTRAP)
        whole = Whole(stack)
        with stack, watched(stack, whole.told.append):
            ensure_tenant(stack.layout.credentials, whole.target.stack.urls, BOOTSTRAP)
            yield whole


def a_call(external_id: str, language: str, roles: tuple[str, ...] = ("agent", "customer")) -> NewCall:
    """A call of the agent whose team the supervisor leads."""
    return NewCall(external_id, roles, agent_id=AGENT_ID, language=language)


def upload(whole: Whole, call: NewCall, file: Path) -> str:
    """Upload a file; the call's id."""
    with whole.vendor() as vendor:
        call_id = vendor.start(call)
        vendor.upload(call_id, file, lambda _: None)
    return call_id


def stream(whole: Whole, call: NewCall, file: Path, *, speed: float) -> str:
    """Stream a WAV file live, `speed` times as fast as it was spoken, and end the call; its id."""
    with whole.vendor() as vendor:
        call_id = vendor.start(call)
        vendor.stream(call_id, read_wav(file), speed=speed, progress=lambda _: None)
    return call_id


def settled(whole: Whole, call_id: str) -> dict[str, Any]:
    """The call, as its vendor sees it, once it has its final state."""
    deadline = time.monotonic() + PATIENCE
    with whole.vendor() as vendor:
        while (call := vendor.call(call_id))["state"] not in SETTLED:
            assert time.monotonic() < deadline, f"the call stays {call['state']}"
            time.sleep(0.1)
    return call


def transcribed(whole: Whole, call_id: str) -> dict[str, Any]:
    """The call, as the supervisor sees it, once it has its transcript or the reason why there is none."""
    deadline = time.monotonic() + PATIENCE
    with whole.api("supervisor") as api:
        while (call := seen(api, call_id)) is None or call["transcript"] is None:
            assert time.monotonic() < deadline, "no transcript comes"
            time.sleep(0.25)
    return call


def seen(api: Api, call_id: str) -> dict[str, Any] | None:
    """The call, `None` as long as access has not heard of it."""
    try:
        return api.json("GET", f"/v1/calls/{call_id}")
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None


def heard(whole: Whole, call_id: str) -> list[str]:
    """What each channel said, by the transcript as the supervisor reads it in the office."""
    transcribed(whole, call_id)
    with whole.api("supervisor") as api:
        transcript = api.json("GET", f"/v1/calls/{call_id}/transcript", params={"purpose": "quality"})
    turns = transcript["turns"]
    return [" ".join(turn["text"] for turn in turns if turn["channel"] == channel) for channel in (0, 1)]
