"""A customer's key from end to end: recorded, transcribed, forgotten everywhere, opened at the customer's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import customer
from flac_decoding import decoded
from otokura.cli.__main__ import app
from otokura.cli.api.http import ApiError
from whole import PATIENCE, Whole, a_call, stream, transcribed
from worker_support import silent_wav

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow]
QUALITY = {"purpose": "quality"}
LEFT = {
    "ingest": "SELECT 1 FROM calls WHERE id = CAST(:id AS uuid) AND wrapped_dek <> ''",
    "transcribe": "SELECT 1 FROM call_keys WHERE call_id = CAST(:id AS uuid)",
    "access": "SELECT 1 FROM call_keys WHERE call_id = CAST(:id AS uuid)",
}
RUN = CliRunner()


def configure(whole: Whole, pem: str | None) -> None:
    with whole.api("admin") as api:
        read = api.request("GET", "/v1/settings")
        match = {"If-Match": read.headers["ETag"]}
        api.json("PUT", "/v1/settings", json=read.json() | {"customer_key": pem}, headers=match)


@contextmanager
def with_customer_key(whole: Whole) -> Iterator[None]:
    configure(whole, customer.public_pem())
    try:
        yield
    finally:
        configure(whole, None)


async def known_to_ingest(whole: Whole) -> None:
    query = "SELECT 1 FROM tenants WHERE settings->>'customer_key' IS NOT NULL"
    deadline = time.monotonic() + PATIENCE
    while not await whole.query("ingest", query):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.5)  # what ingest remembers of a tenant is older by at most this


async def no_key_is_left(whole: Whole, call: str) -> None:
    deadline = time.monotonic() + PATIENCE
    for service, query in LEFT.items():
        while await whole.query(service, query, id=call):
            assert time.monotonic() < deadline, f"{service} keeps the key"
            await asyncio.sleep(0.1)


@pytest.mark.guarantee("S26")
@pytest.mark.guarantee("S27")
async def test_only_the_customer_opens_what_was_recorded(whole: Whole, tmp_path: Path) -> None:
    spoken = tmp_path / "spoken.wav"
    spoken.write_bytes(silent_wav(3))
    with with_customer_key(whole):
        await known_to_ingest(whole)
        call = stream(whole, a_call("customer's", "en"), spoken, speed=10)
        transcribed(whole, call)
        await no_key_is_left(whole, call)
    with whole.api("supervisor") as api:
        with pytest.raises(ApiError, match="customer's key"):
            api.request("GET", f"/v1/calls/{call}/audio", params=QUALITY)
        taken = api.request("GET", f"/v1/calls/{call}/sealed", params=QUALITY).content
    file, output = tmp_path / "call.sealed", tmp_path / "call.flac"
    file.write_bytes(taken)
    key = str(customer.key_file(tmp_path))
    opened = RUN.invoke(app, ["open", str(file), "--key", key, "--output", str(output)])
    assert opened.exit_code == 0, opened.stderr
    assert decoded(output.read_bytes(), 2) == decoded(spoken.read_bytes(), 2)
    deadline = time.monotonic() + PATIENCE
    while (services := await handed_over_by(whole, call)) != ["access", "ingest", "transcribe"]:
        assert time.monotonic() < deadline, services
        await asyncio.sleep(0.2)


async def handed_over_by(whole: Whole, call: object) -> list[str]:
    """The services that wrote down that they have given a call's key away, as far as the log has it."""
    entries: list[Any] = await whole.query(
        "audit",
        "SELECT source FROM entries WHERE action = 'key.handed-over' AND call_id = CAST(:id AS uuid)",
        id=call,
    )
    return sorted(row.source.split("/")[0] for row in entries)
