"""The other commands, on a running Otokura."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from otokura.cli.__main__ import app
from whole import PATIENCE, Whole, a_call, settled, transcribed, upload
from worker_support import silent_wav

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow]
CALL = Path("examples/calls/en-support.wav")
READERS_OF_TENANTS = {"otokura-ingest", "otokura-transcribe", "otokura-audit"}
RUN = CliRunner()


def run(whole: Whole, *arguments: str) -> Result:
    return RUN.invoke(app, [*arguments, "--data", str(whole.stack.layout.folder)])


def test_files_are_sent_live_and_whole(whole: Whole) -> None:
    live = run(whole, "call", "send", "--live", "--speed", "100", "--language", "en", str(CALL))
    assert live.exit_code == 0, live.stderr
    sealed = settled(whole, live.stdout.strip())
    assert (sealed["state"], sealed["recording"]["media_type"]) == ("sealed", "audio/flac")
    assert sealed["external_id"] == CALL.name


def test_what_is_no_audio_is_refused_in_words(whole: Whole, tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("not audio at all")
    refused = run(whole, "call", "send", "--channels", "mixed", str(text))
    assert refused.exit_code == 1
    assert "415 Unsupported media" in refused.stderr
    asked = run(whole, "call", "send", str(text))
    assert asked.exit_code == 1
    assert "--channels" in asked.stderr


def test_a_second_operator_is_not_made(whole: Whole) -> None:
    command = ["admin", "bootstrap", "--url", whole.stack.url("access"), "--token", "whatever"]
    refused = RUN.invoke(app, command)
    assert refused.exit_code == 1
    assert "No operator was made: 4" in refused.stderr


def test_the_token_of_a_principal_is_good(whole: Whole) -> None:
    token = run(whole, "token", "supervisor").stdout.strip()
    url = f"{whole.stack.url('access')}/v1/calls"
    assert httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False).status_code == 200
    stranger = run(whole, "token", "nobody")
    assert (stranger.exit_code, "there is no nobody" in stranger.stderr) == (2, True)


@pytest.mark.guarantee("T71")
@pytest.mark.guarantee("T73")
def test_a_recording_is_transcribed_again_and_both_versions_can_be_read(whole: Whole, tmp_path: Path) -> None:
    file = tmp_path / "silence.wav"
    file.write_bytes(silent_wav(1))
    call = upload(whole, a_call("again", "en"), file)
    transcribed(whole, call)
    again = ["transcribe", "again", "--call", call]
    counted = run(whole, *again, "--dry-run")
    assert (counted.exit_code, counted.stdout) == (0, "1 calls would be transcribed again.\n")
    done = run(whole, *again, "--reason", "To see whether it works", "--wait")
    assert done.exit_code == 0, done.stderr
    assert "0 queued, 0 running, 1 done, 0 failed." in done.stdout
    request = done.stdout.split("request ")[1].split(".")[0]
    assert "1 done" in run(whole, "transcribe", "progress", request).stdout

    deadline = time.monotonic() + PATIENCE
    with whole.api("supervisor") as api:
        # The progress and the new version are two events: the second may come later.
        while len(versions := api.json("GET", f"/v1/calls/{call}/transcripts")["items"]) < 2:
            assert time.monotonic() < deadline, "the new version does not come"
            time.sleep(0.5)
        newest, first = versions
        assert (newest["asked"]["reason"], first["asked"]) == ("To see whether it works", None)
        assert newest["version"] > first["version"]
        read = {"purpose": "quality", "version": first["version"]}
        assert api.json("GET", f"/v1/calls/{call}/transcript", params=read)["turns"] == []


def test_a_dead_letter_is_listed_and_sent_again(whole: Whole) -> None:
    """What nobody can handle comes back as a new letter: the fault is in it, and stays to be seen."""
    event_id = str(uuid.uuid4())
    asyncio.run(send_what_nobody_can_read(whole.target.stack.kafka_bootstrap, event_id))
    first = letters(whole, event_id, len(READERS_OF_TENANTS))
    assert {letter["group"] for letter in first} == READERS_OF_TENANTS
    assert {letter["original_topic"] for letter in first} == {"otokura.tenants"}
    replayed = run(whole, "dlq", "replay", "otokura.tenants")
    assert replayed.exit_code == 0, replayed.stderr
    assert "sent to otokura.tenants again" in replayed.stdout
    again = letters(whole, event_id, len(READERS_OF_TENANTS))
    assert min(letter["offset"] for letter in again) > max(letter["offset"] for letter in first)


async def send_what_nobody_can_read(bootstrap: str, event_id: str) -> None:
    attributes = {
        "ce_id": event_id,
        "ce_type": "otokura.tenant.updated.v1",
        "ce_source": "test",
        "ce_specversion": "1.0",
        "ce_time": datetime.now(UTC).isoformat(),
        "content-type": "application/json",
    }
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        headers = [(name, value.encode()) for name, value in attributes.items()]
        await producer.send_and_wait("otokura.tenants", b"not json", headers=headers)
    finally:
        await producer.stop()


def letters(whole: Whole, event_id: str, at_least: int) -> list[dict[str, Any]]:
    """The event's waiting letters, once there are so many."""
    deadline = time.monotonic() + PATIENCE
    while True:
        listed = run(whole, "dlq", "list", "otokura.tenants", "--json")
        assert listed.exit_code == 0, listed.stderr
        waiting = [json.loads(line) for line in listed.stdout.splitlines()]
        found = [letter for letter in waiting if letter["event_id"] == event_id]
        if len(found) >= at_least:
            return found
        assert time.monotonic() < deadline, "the letters do not come"
        time.sleep(0.5)
