"""Long listenings to redacted recordings: what they take, and how they end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

import access_service
import servers
from access_service import Access, Person, Tenant
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from process_memory import memory
from redacted_calls import RATE, REDACTED, Hidden, audio, clicks, flac, noise, recorded, slow_reader

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
HOUR_MS = 3_600_000
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def narrow(postgres_server: PostgresServer, s3_server: SeaweedServer) -> Iterator[Access]:
    """A process that decodes one recording at a time, and waits five seconds for who takes nothing."""
    limits = {"OTOKURA_DECODERS": "1", "OTOKURA_STALLED_SECONDS": "5"}
    with (
        servers.kafka() as broker,
        access_service.running(
            postgres_server, s3_server, access_service.kafka_of(broker), **limits
        ) as process,
    ):
        yield process


@pytest.fixture
def tenant(narrow: Access) -> Tenant:
    return narrow.tenant()


@pytest.fixture
def supervisor(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


def process_of(access: Access) -> psutil.Process:
    assert access.program.pid is not None
    return psutil.Process(access.program.pid)


def wait_for_decoders(access: Access, number: int) -> list[psutil.Process]:
    """The decoders that access runs, as soon as there are so many."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(found := process_of(access).children()) != number:
        assert time.monotonic() < deadline, "the decoders stay as they are"
        time.sleep(0.05)
    return found


def peak_of(process: psutil.Process) -> int:
    """The most memory that it took; 0 when it has just ended."""
    try:
        return memory(process.pid, "VmHWM")
    except (OSError, ValueError):
        return 0


@pytest.mark.slow
@pytest.mark.guarantee("T94")
def test_four_hours_take_the_memory_of_a_minute(narrow: Access, tenant: Tenant, supervisor: Person) -> None:
    """In access and in the decoder, from the first sample to the last."""
    said = noise(60)
    audio(narrow, supervisor, recorded(tenant, flac(said), [], samples=len(said)))
    hidden: Hidden = [(1, 2 * HOUR_MS, 2 * HOUR_MS + 5000)]
    samples = 4 * HOUR_MS * RATE // 1000
    call = recorded(tenant, clicks(4 * 60), hidden, samples=samples)
    pid = process_of(narrow).pid
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = memory(pid, "VmRSS")
    counted, rest, decoder = np.zeros(2, int), bytearray(), 0
    with (
        narrow.client(supervisor.token) as client,
        client.stream("GET", f"/v1/calls/{call.id}/audio", params=REDACTED) as response,
    ):
        assert int(response.headers["Content-Length"]) == 44 + 4 * samples
        pieces = response.iter_raw(1 << 20)
        rest += next(pieces)[44:]
        for piece in pieces:
            rest += piece
            whole = len(rest) - len(rest) % 4
            counted += np.count_nonzero(np.frombuffer(bytes(rest[:whole]), "<i2").reshape(-1, 2), axis=0)
            del rest[:whole]
            decoder = max([decoder, *map(peak_of, process_of(narrow).children())])
    assert memory(pid, "VmHWM") - before < 64 << 20
    assert 0 < decoder < 256 << 20
    assert counted.tolist() == [4 * 3600, 4 * 3600 - 5]


@pytest.mark.guarantee("T94")
def test_a_reader_who_takes_nothing_keeps_nobody_from_hearing(
    narrow: Access, tenant: Tenant, supervisor: Person
) -> None:
    """The only decoder waits a while for them; they go on with a range."""
    call = recorded(tenant, clicks(30), [], samples=30 * 60 * RATE)
    with slow_reader(narrow, supervisor, call) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
        other = audio(narrow, supervisor, call, "bytes=1000000-1000999")
        assert (other.status_code, len(other.content)) == (206, 1000)
    entries = narrow.audit.entries(action="read.opened", call_id=str(call.id))
    [stalled] = [entry for entry in entries if entry["detail"]["range"]["start"] == 0]
    assert narrow.audit.closed(stalled["entry_id"])["detail"]["outcome"] == "aborted"
    wait_for_decoders(narrow, 0)


@pytest.mark.guarantee("T94")
def test_a_reader_who_leaves_leaves_no_decoder_behind(
    narrow: Access, tenant: Tenant, supervisor: Person
) -> None:
    call = recorded(tenant, clicks(30), [], samples=30 * 60 * RATE)
    with (
        narrow.client(supervisor.token) as client,
        client.stream("GET", f"/v1/calls/{call.id}/audio", params=REDACTED) as response,
    ):
        pieces = response.iter_raw(1000)
        next(pieces)
        wait_for_decoders(narrow, 1)
        entry_id = response.headers["Otokura-Entry-Id"]
    wait_for_decoders(narrow, 0)
    assert narrow.audit.closed(entry_id)["detail"]["outcome"] == "aborted"
