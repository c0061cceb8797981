"""Witnesses of ours that other parties run, reached without a network; any of them can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx

from audit_fixtures import ORIGIN, YEAR
from otokura.audit.witnesses import Witness, read_witnesses
from otokura.cli.verify import Witnesses
from otokura.cli.witness.book import Book
from otokura.cli.witness.judging import Witness as Judge
from otokura.cli.witness.keys import BOOK_FILE, LOGS_FILE, Logs, create, load
from otokura.cli.witness.server import create_app

Handler = Callable[[httpx.Request], httpx.Response]


class Neighbour:
    """A witness of ours that another party runs, reached without a network; `fault` takes its place."""

    def __init__(self, folder: Path, number: int, vkey: str) -> None:
        self.folder = folder / f"w{number}"
        create(self.folder, f"w{number}.example", post_quantum=number % 2 == 0)
        (self.folder / LOGS_FILE).write_text(f"{vkey}\n")
        self.vkey = str(load(self.folder).public)
        judge = Judge(load(self.folder), Book(self.folder / BOOK_FILE), Logs(self.folder / LOGS_FILE))
        self.judge = judge
        self.transport = httpx.ASGITransport(app=create_app(judge, self.vkey))
        self.fault: Handler | None = None
        self.asked = 0

    @property
    def size(self) -> int:
        return Book(self.folder / BOOK_FILE).seen(f"{ORIGIN}/{YEAR}").size


class Neighbours(httpx.AsyncBaseTransport):
    """The way to the witnesses, by host."""

    def __init__(self, folder: Path, vkey: str, count: int = 3) -> None:
        self.all = [Neighbour(folder, number, vkey) for number in range(1, count + 1)]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        one = self.all[int(request.url.host[1]) - 1]
        one.asked += 1
        if one.fault is not None:
            await asyncio.sleep(0)
            told = one.fault(request)
            return httpx.Response(
                told.status_code, headers=told.headers, stream=httpx.ByteStream(told.content)
            )
        return await one.transport.handle_async_request(request)

    def witnesses(self, folder: Path) -> tuple[Witness, ...]:
        listed = [
            f'{{"url": "https://{each.vkey.partition("+")[0]}", "vkey": "{each.vkey}"}}' for each in self.all
        ]
        path = folder / "witnesses.json"
        path.write_text(f"[{', '.join(listed)}]")
        return read_witnesses(path, development=False)

    def trusted(self, quorum: int) -> Witnesses:
        return Witnesses.parse([each.vkey for each in self.all], quorum)
