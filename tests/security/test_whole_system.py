"""Tampering behind the back of a running Otokura: with what it stored itself, read as its readers read it."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from minio import Minio

import audio_files
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.cli.verify.findings import Code, Report
from otokura.cli.verify.log import verify_log
from otokura.cli.verify.places import WIDTH, tile_path
from phone_system import speechlike
from whole import PATIENCE, Whole, a_call, upload

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow]
RECORDINGS, LOG = "recordings", "audit-log"


@pytest.fixture
def make_call(whole: Whole, tmp_path: Path) -> Callable[[int], str]:
    """Makes sealed calls that the supervisor can hear."""

    def make(seed: int) -> str:
        file = tmp_path / f"{seed}.wav"
        file.write_bytes(audio_files.wav(speechlike(3, 8000, 2, seed), 8000, 2))
        call_id = upload(whole, a_call(f"tampered-{seed}", "en"), file)
        deadline = time.monotonic() + PATIENCE
        while (answer := listen(whole, call_id)).status_code != 200:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.25)
        assert answer.content == file.read_bytes()
        return call_id

    return make


def listen(whole: Whole, call_id: str) -> httpx.Response:
    """The recording as the supervisor asks for it in the office."""
    access = whole.stack.url("access")
    auth = whole.credentials.token_of("supervisor", access)
    url = f"{access}/v1/calls/{call_id}/audio?purpose=quality"
    return httpx.get(url, auth=auth, trust_env=False, timeout=60)


def assert_refused_loudly(whole: Whole, call_id: str) -> None:
    """A problem without a byte of content, a line in the service's log, and an entry in the audit log."""
    answer = listen(whole, call_id)
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:otokura:problem:integrity"
    assert any("integrity failure" in line and call_id in line for line in whole.complaints())
    deadline = time.monotonic() + PATIENCE
    while "integrity" not in outcomes(whole, call_id):
        assert time.monotonic() < deadline, "the log does not say how the read ended"
        time.sleep(0.25)


def outcomes(whole: Whole, call_id: str) -> list[str]:
    """How the reads of a call ended, as an auditor sees it."""
    with whole.api("auditor", "audit") as api:
        found = api.json("GET", "/v1/entries", params={"call_id": call_id, "action": "read.closed"})
    return [entry["detail"]["outcome"] for entry in found["items"]]


def store_of(whole: Whole) -> Minio:
    """The store as its administrator."""
    server = whole.stack.parts["s3"].target
    assert isinstance(server, SeaweedServer)
    return server.client()


def get(store: Minio, bucket: str, name: str) -> bytes:
    with store.get_object(bucket, name) as response:
        return bytes(response.read())


def put(store: Minio, bucket: str, name: str, data: bytes) -> None:
    store.put_object(bucket, name, io.BytesIO(data), len(data))


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


async def name_of(whole: Whole, call_id: str) -> str:
    """The object that holds the recording of a call."""
    query = "SELECT manifest FROM calls WHERE id = CAST(:id AS uuid)"
    [row] = await whole.query("ingest", query, id=call_id)
    return str(row.manifest["recording"]["name"])


@pytest.mark.guarantee("R8")
async def test_a_bit_flipped_in_a_stored_recording(whole: Whole, make_call: Callable[[int], str]) -> None:
    call, store = make_call(1), store_of(whole)
    name = await name_of(whole, call)
    put(store, RECORDINGS, name, flipped(get(store, RECORDINGS, name)))
    assert_refused_loudly(whole, call)


@pytest.mark.guarantee("R8")
async def test_two_stored_recordings_swapped(whole: Whole, make_call: Callable[[int], str]) -> None:
    calls, store = [make_call(2), make_call(3)], store_of(whole)
    names = [await name_of(whole, call) for call in calls]
    objects = [get(store, RECORDINGS, name) for name in names]
    for name, other in zip(names, reversed(objects), strict=True):
        put(store, RECORDINGS, name, other)
    for call in calls:
        assert_refused_loudly(whole, call)


@pytest.mark.guarantee("R8")
async def test_a_bit_flipped_in_a_wrapped_key(whole: Whole, make_call: Callable[[int], str]) -> None:
    call = make_call(4)
    change = "UPDATE call_keys SET wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1)"
    await whole.query("access", f"{change} WHERE call_id = CAST(:id AS uuid)", id=call)
    assert_refused_loudly(whole, call)


@pytest.mark.guarantee("R8")
async def test_the_wrapped_key_of_another_call(whole: Whole, make_call: Callable[[int], str]) -> None:
    call, other = make_call(5), make_call(6)
    change = "UPDATE call_keys AS one SET wrapped = two.wrapped FROM call_keys AS two"
    where = "WHERE one.call_id = CAST(:one AS uuid) AND two.call_id = CAST(:two AS uuid)"
    await whole.query("access", f"{change} {where}", one=call, two=other)
    assert_refused_loudly(whole, call)
    assert listen(whole, other).status_code == 200


def verified(whole: Whole) -> Report:
    """The log as the independent verifier sees it, once nothing more is being added."""
    target = whole.target
    deadline = time.monotonic() + PATIENCE
    size = -1
    while True:
        report = verify_log(target.log_url, target.log_vkey)
        if report.size == size:
            return report
        assert time.monotonic() < deadline, "the log does not come to rest"
        size = report.size
        time.sleep(2.0)


async def published(whole: Whole, entry_id: str) -> None:
    """Returns once an entry is in the log, and all that is in the log is published."""
    statement = (
        "SELECT 1 FROM entries WHERE entry_id = CAST(:id AS uuid)"
        " AND NOT EXISTS (SELECT 1 FROM log_shards WHERE published_size <> size)"
    )
    deadline = time.monotonic() + PATIENCE
    while not await whole.query("audit", statement, id=entry_id):
        assert time.monotonic() < deadline, "the log does not publish the entry"
        await asyncio.sleep(0.25)


@pytest.mark.guarantee("L2")
async def test_a_bit_flipped_in_a_tile_of_the_log(whole: Whole) -> None:
    """The verifier names the tile; once its bytes are back, the log verifies again."""
    with whole.api("supervisor") as api:
        entry_id = api.request("GET", "/v1/calls").headers["Otokura-Entry-Id"]
    await published(whole, entry_id)
    honest = verified(whole)
    assert honest.findings == []
    index, width = divmod(honest.size - 1, WIDTH)
    tile = tile_path(0, index, width + 1)
    name, store = f"{whole.target.log_url.rsplit('/', 1)[1]}/{tile}", store_of(whole)
    hashes = get(store, LOG, name)
    put(store, LOG, name, flipped(hashes))
    try:
        altered = verified(whole)
    finally:
        put(store, LOG, name, hashes)
    assert [(finding.code, finding.where) for finding in altered.findings] == [(Code.TILE_ALTERED, tile)]
    assert verified(whole).findings == []
