"""Ten thousand sockets that say nothing, or never finish saying it, while a call is recorded."""

from __future__ import annotations

import asyncio
import re
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from flac_decoding import decoded
from ingest_service import Credentials, IngestService, MakeIngest, client_of, settled, start_call
from phone_system import JournalledStream, speechlike

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.slow]

SOCKETS = 10_000
SPARE_FILES = 1000
SLOW = 10
"""Every so many-th socket sends a head, a little at a time, and never all of it."""
AT_ONCE = 200
BYTES_A_SOCKET = 20_000
"""The most that a silent socket may cost ingest; it costs about a third of that."""


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest) -> IngestService:
    """It waits for heads for longer than the test lasts, so that all sockets are open at once."""
    return make_ingest(flush_seconds=1.0, head_seconds=3600)


@pytest.fixture(scope="module")
def strict(make_ingest: MakeIngest) -> IngestService:
    """It cuts thousands of sockets within one second, and again."""
    return make_ingest(flush_seconds=1.0, head_seconds=3)


@contextmanager
def as_many_files_as_are_permitted() -> Iterator[int]:
    """How many sockets this process may have, while it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = SOCKETS + SPARE_FILES if hard == resource.RLIM_INFINITY else min(hard, SOCKETS + SPARE_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    try:
        yield most - SPARE_FILES
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Flood:
    """Sockets to one port of this machine: a bounded number, for as long as the test needs them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.sockets: list[socket.socket] = []

    async def rise(self, count: int) -> None:
        for _ in range(0, count, AT_ONCE):
            fresh = [socket.socket() for _ in range(min(AT_ONCE, count - len(self.sockets)))]
            self.sockets += fresh
            for number, one in enumerate(fresh):
                one.setblocking(False)
                # From many addresses: one alone has too few ports for several floods at a time.
                one.bind((f"127.0.0.{2 + number % 50}", 0))
            loop = asyncio.get_running_loop()
            await asyncio.gather(*(loop.sock_connect(one, ("127.0.0.1", self._port)) for one in fresh))

    @property
    def slow(self) -> list[socket.socket]:
        return self.sockets[::SLOW]

    async def drip(self) -> None:
        """Until cancelled, a header now and then on each of the slow ones."""
        pieces = [b"POST /v1/calls HTTP/1.1\r\nHost: x\r\n", *([b"X-More: 1\r\n"] * 1000)]
        for piece in pieces:
            for one in self.slow:
                try:
                    one.send(piece)
                except OSError:  # cut already
                    continue
            await asyncio.sleep(1)

    async def said(self) -> bytes:
        """All that the server says on all of them, until it has closed every one."""
        async with asyncio.timeout(120):
            return b"".join(await asyncio.gather(*map(self._said_on, self.sockets)))

    async def _said_on(self, one: socket.socket) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(one, 1000)
        except ConnectionResetError:
            return b""

    def open_ones(self) -> int:
        """How many the server has not closed."""
        found = 0
        for one in self.sockets:
            try:
                found += bool(one.recv(1, socket.MSG_PEEK))
            except BlockingIOError:
                found += 1
            except ConnectionResetError:
                continue
        return found

    def sink(self) -> None:
        for one in self.sockets:
            one.close()


def open_connections(metrics: str) -> int:
    """How many the server says that it has."""
    found = re.search(r"^otokura_http_connections_count (\d+)", metrics, re.MULTILINE)
    assert found is not None
    return int(found[1])


class Recording:
    """A call that is recorded over one connection, and another that starts meanwhile."""

    def __init__(self, ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient) -> None:
        self.pcm = speechlike(15, 8000, 2)
        self._where = (ingest, credentials, client)

    async def run(self) -> None:
        """Records it; raises if a sample is missing or the connection did not hold."""
        ingest, credentials, client = self._where
        call = await start_call(client)
        stream = JournalledStream(ingest.url, call["id"], credentials, self.pcm, 4)
        await stream.run(pace=0.05)
        assert stream.connections == 1
        assert (await client.post(f"/v1/calls/{call['id']}/end")).is_success
        assert (await settled(client, call["id"]))["state"] == "sealed"
        _, flac = await ingest.recording(call["id"])
        assert decoded(flac, 2) == self.pcm


@pytest.mark.guarantee("A24")
async def test_ten_thousand_silent_sockets_cost_a_call_nothing(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """All open at once, a tenth of them beginning heads without end."""
    flood, process = Flood(ingest.port), psutil.Process(ingest.program.pid)
    recording = asyncio.create_task(Recording(ingest, credentials, client).run())
    before = process.memory_info().rss
    with as_many_files_as_are_permitted() as count:
        try:
            await flood.rise(count)
            dripping = asyncio.create_task(flood.drip())
            async with client_of(ingest.url, credentials) as another:
                await start_call(another)
                standing = open_connections((await another.get("/metrics")).text)
            grown = process.memory_info().rss - before
            sys.stdout.write(
                f"{count} sockets of {SOCKETS}, {standing} connections open at once,"
                f" {grown // count} bytes of memory for each\n"
            )
            await recording
            dripping.cancel()
            assert flood.open_ones() == count < standing
        finally:
            flood.sink()
    assert grown < count * BYTES_A_SOCKET


@pytest.mark.guarantee("A24")
async def test_thousands_are_cut_while_a_call_is_recorded(strict: IngestService) -> None:
    """Silent or slow, each is closed without a word."""
    credentials = await strict.add_tenant()
    flood = Flood(strict.port)
    async with client_of(strict.url, credentials) as client:
        recording = asyncio.create_task(Recording(strict, credentials, client).run())
        with as_many_files_as_are_permitted() as count:
            try:
                await flood.rise(count // 2)
                dripping = asyncio.create_task(flood.drip())
                assert await flood.said() == b""
                dripping.cancel()
            finally:
                flood.sink()
        await recording
