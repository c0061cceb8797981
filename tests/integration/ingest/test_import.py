"""`otokura call import` against a running ingest: one call a file, whatever interrupts it."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import os
import signal
import sys
import unicodedata
from asyncio.subprocess import PIPE, Process
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from audio_files import encoded, long_wav, wav
from freezing import freeze, frozen, thaw
from ingest_service import Credentials, IngestService
from otokura.cli.__main__ import app
from otokura.cli.imports.journal import NAME
from phone_system import speechlike
from tus_client import MIB

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

PATIENCE_SECONDS = 300
"""How long a stopped import may take, a few hundredths at a time: a busy machine gives it few of them."""
LARGE = 80 * MIB
RUN = CliRunner()


def command(ingest: IngestService, folder: Path, *options: str) -> list[str]:
    return ["call", "import", str(folder), "--url", ingest.url, "--purpose", "quality", *options]


def environment(credentials: Credentials) -> dict[str, str]:
    return {"OTOKURA_API_KEY": credentials.api_key, "COLUMNS": "200"}


# Whoever runs the tests in the background of a shell has SIGINT ignored, and children inherit that.
PROGRAM = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("otokura.cli", run_name="__main__")
"""


async def started(ingest: IngestService, credentials: Credentials, folder: Path) -> Process:
    """In a process of its own, to be interrupted."""
    argv = [sys.executable, "-c", PROGRAM, *command(ingest, folder, "--jobs", "2")]
    env = {**os.environ, **environment(credentials)}
    return await asyncio.create_subprocess_exec(*argv, stdout=PIPE, stderr=PIPE, env=env)


async def imported(
    ingest: IngestService, credentials: Credentials, folder: Path, *options: str
) -> tuple[int, dict[str, Any], str]:
    """The exit status, the report, and what was printed."""
    report = folder.parent / "report.json"
    argv = command(ingest, folder, "--report", str(report), *options)
    result = await asyncio.to_thread(RUN.invoke, app, argv, env=environment(credentials))
    told = result.stdout + result.stderr
    return result.exit_code, json.loads(report.read_text()) if report.exists() else {}, told


async def calls_of(ingest: IngestService, credentials: Credentials) -> dict[str, Any]:
    """By external id; each once."""
    query = "SELECT * FROM calls WHERE tenant_id = CAST(:tenant AS uuid) ORDER BY started_at"
    rows = await ingest.query(query, tenant=str(credentials.tenant_id))
    assert len({row.external_id for row in rows}) == len(rows), [row.external_id for row in rows]
    return {row.external_id: row for row in rows}


def states(report: dict[str, Any]) -> dict[str, str]:
    return {one["file"]: one["state"] for one in report["recordings"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "recordings"
    path.mkdir()
    return path


@pytest.mark.guarantee("A45")
async def test_a_folder_with_a_sidecar_from_japanese_excel_is_imported(
    ingest: IngestService, credentials: Credentials, folder: Path
) -> None:
    """cp932, names that the disk has in NFD; the second run sends nothing."""
    files = {
        "苦情ガイド.wav": wav(speechlike(1, 8000, 2, 1), 8000, 2),
        "b.mp3": encoded(speechlike(1, 16_000, 1, 2), 16_000, 1, "mp3", "libmp3lame"),
        "notes.wav": b"This is a letter, whatever its name says.",
    }
    for name, data in files.items():
        (folder / unicodedata.normalize("NFD", name)).write_bytes(data)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["file", "external_id", "caller", "channels", "started_at", "notice", "language"])
    writer.writerow(["苦情ガイド.wav", "c-1", '="0312345678"', "", "2024/04/01 9:00", "attested", "ja"])
    writer.writerow(["b.mp3", "c-2", "", "mixed", "", "", ""])
    writer.writerow(["notes.wav", "c-3", "", "mixed", "", "", ""])
    (folder / "calls.csv").write_bytes(text.getvalue().encode("cp932"))

    status, report, told = await imported(ingest, credentials, folder, "--time-zone", "Asia/Tokyo")
    assert status == 1, told
    names = [unicodedata.normalize("NFD", name) for name in files]
    assert states(report) == dict(zip(names, ["sealed", "sealed", "failed"], strict=True))
    assert (report["sealed"], report["failed"]) == (2, 1)
    assert "of another kind" in report["recordings"][2]["reason"]
    assert "of another kind" in told
    calls = await calls_of(ingest, credentials)
    assert {name: call.state for name, call in calls.items()} == {
        "c-1": "sealed",
        "c-2": "sealed",
        "c-3": "failed",
    }
    assert (await ingest.recording(str(calls["c-1"].id)))[1] == files["苦情ガイド.wav"]
    manifest = calls["c-1"].manifest
    assert (manifest["started_at"], manifest["ended_at"]) == ("2024-04-01T00:00:00Z", "2024-04-01T00:00:01Z")
    assert manifest["notice"] == {"given": "attested", "at": "2024-04-01T00:00:00Z", "version": None}
    assert manifest["language"] == "ja"

    status, report, told = await imported(ingest, credentials, folder, "--time-zone", "Asia/Tokyo")
    assert status == 1, told
    assert states(report) == dict(zip(names, ["skipped", "skipped", "failed"], strict=True))
    assert len(await calls_of(ingest, credentials)) == 3


async def test_a_dry_run_tells_all_that_is_wrong_and_sends_nothing(
    ingest: IngestService, credentials: Credentials, folder: Path
) -> None:
    (folder / "a.wav").write_bytes(wav(bytes(1600), 8000, 1))
    (folder / "left.wav").write_bytes(wav(bytes(1600), 8000, 1))
    (folder / "calls.csv").write_text("file,direction,langauge\na.wav,inbound,\nb.wav,up,ja\n")
    for options in (("--dry-run",), ()):
        status, report, told = await imported(ingest, credentials, folder, *options)
        assert status == 2
        assert [(fault["row"], fault["column"]) for fault in report["faults"]] == [
            *((3, "langauge"), (3, "file"), (3, "direction"))
        ]
        assert "Nothing was sent: 3 faults" in told
        assert "left.wav" in told
    (folder / "calls.csv").write_text("file\na.wav\n")
    status, _, told = await imported(ingest, credentials, folder, "--dry-run")
    assert (status, "1 recording can be imported" in told) == (0, True)
    assert not (folder / NAME).exists()
    assert await calls_of(ingest, credentials) == {}


async def stored(ingest: IngestService, credentials: Credentials) -> int:
    """How much of the large file is stored, not all of it."""
    query = "SELECT received, length FROM uploads WHERE tenant_id = CAST(:tenant AS uuid) AND length > :large"
    for row in await ingest.query(query, tenant=str(credentials.tenant_id), large=MIB):
        assert row.received < row.length, "the upload was over before it was interrupted"
        return int(row.received)
    return 0


async def until_more_is_stored(ingest: IngestService, credentials: Credentials, process: Process) -> None:
    """Some parts more than there are now. The import stands still whenever it is looked at, and after it:
    else it might be over before it is interrupted."""
    freeze(process.pid)
    enough = await stored(ingest, credentials) + 8 * MIB
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await stored(ingest, credentials) < enough:
            thaw(process.pid)
            await asyncio.sleep(0.02)
            freeze(process.pid)


async def interrupted(ingest: IngestService, process: Process) -> str:
    """What the import says after Ctrl-C, heard while ingest stands still: else it might be over first."""
    assert process.stderr is not None
    with frozen(ingest.program.pid):
        process.send_signal(signal.SIGINT)
        thaw(process.pid)
        async with asyncio.timeout(PATIENCE_SECONDS):
            heard = await process.stderr.readuntil(b"Stopping:")
    _, rest = await process.communicate()
    return (heard + rest).decode()


@pytest.mark.slow
@pytest.mark.guarantee("A45")
async def test_whatever_interrupts_an_import_the_next_run_goes_on_with_it(
    ingest: IngestService, credentials: Credentials, folder: Path
) -> None:
    """Ctrl-C, then kill -9, then ingest itself killed: one call a file, and the upload is the same one."""
    large = b"".join([piece async for piece in long_wav(LARGE)])
    (folder / "0-large.wav").write_bytes(large)
    for number in range(3):
        (folder / f"{number}-small.wav").write_bytes(wav(speechlike(1, 8000, 2, number), 8000, 2))

    process = await started(ingest, credentials, folder)
    await until_more_is_stored(ingest, credentials, process)
    told = await interrupted(ingest, process)
    assert process.returncode == 130, told
    assert "Run the same command again" in told

    process = await started(ingest, credentials, folder)
    await until_more_is_stored(ingest, credentials, process)
    process.kill()
    await process.communicate()

    process = await started(ingest, credentials, folder)
    await until_more_is_stored(ingest, credentials, process)
    ingest.program.kill()
    thaw(process.pid)
    await ingest.restart()
    await process.communicate()
    assert process.returncode == 0

    status, report, told = await imported(ingest, credentials, folder)
    assert status == 0, told
    assert set(states(report).values()) == {"skipped"}
    calls = await calls_of(ingest, credentials)
    assert {name: call.state for name, call in calls.items()} == dict.fromkeys(
        ("0-large.wav", "0-small.wav", "1-small.wav", "2-small.wav"), "sealed"
    )
    recording = calls["0-large.wav"].manifest["recording"]
    assert recording["plaintext_sha256"] == hashlib.sha256(large).hexdigest()
    query = "SELECT epoch, received FROM uploads WHERE call_id = :call"
    [upload] = await ingest.query(query, call=calls["0-large.wav"].id)
    assert upload.epoch > 2, "the upload went on in another request"
    assert upload.received == LARGE


@pytest.mark.guarantee("A45")
async def test_a_call_that_was_started_unheard_is_not_started_twice(
    ingest: IngestService, credentials: Credentials, folder: Path
) -> None:
    """The journal has the intent, the answer was lost with the process: the same key gets the same call."""
    (folder / "a.wav").write_bytes(wav(speechlike(1, 8000, 1), 8000, 1))
    status, _, told = await imported(ingest, credentials, folder)
    assert status == 0, told
    journal = folder / NAME
    header, intent, *_ = journal.read_text().splitlines()
    assert "call_id" not in intent
    journal.write_text(f"{header}\n{intent}\n")
    status, report, told = await imported(ingest, credentials, folder)
    assert (status, states(report)) == (0, {"a.wav": "sealed"}), told
    assert len(await calls_of(ingest, credentials)) == 1


async def test_what_ingest_has_already_is_not_sent_by_another_machine(
    ingest: IngestService, credentials: Credentials, folder: Path
) -> None:
    """A folder without a journal, and calls of the same ids: left out, unless one asks for them again."""
    (folder / "a.wav").write_bytes(wav(speechlike(1, 8000, 1), 8000, 1))
    assert (await imported(ingest, credentials, folder))[0] == 0
    (folder / NAME).unlink()
    status, report, told = await imported(ingest, credentials, folder)
    assert (status, states(report)) == (0, {"a.wav": "skipped"}), told
    assert "ingest has a recording of this external_id" in told


async def test_a_file_that_was_refused_is_sent_again_once_it_is_another(
    ingest: IngestService, credentials: Credentials, folder: Path
) -> None:
    """Not before: it would be refused again, and every time leave a failed call."""
    file = folder / "a.wav"
    file.write_bytes(b"no audio at all")
    for _ in range(2):
        status, report, _ = await imported(ingest, credentials, folder, "--channels", "mixed")
        assert (status, states(report)) == (1, {"a.wav": "failed"})
    assert len(await calls_of(ingest, credentials)) == 1
    file.write_bytes(wav(speechlike(1, 8000, 1), 8000, 1))
    status, report, told = await imported(ingest, credentials, folder, "--channels", "mixed")
    assert (status, states(report)) == (0, {"a.wav": "sealed"}), told


async def test_what_the_tenant_demands_is_told_and_can_be_said_in_the_next_run(
    ingest: IngestService, folder: Path
) -> None:
    """A call that got no file is ended, not left to be waited for; the next run starts one that says more."""
    credentials = await ingest.add_tenant(require_notice=True)
    (folder / "a.wav").write_bytes(wav(speechlike(1, 8000, 1), 8000, 1))
    status, report, _ = await imported(ingest, credentials, folder)
    assert status == 1
    assert "records nothing before the caller is told" in report["recordings"][0]["reason"]
    status, report, told = await imported(ingest, credentials, folder, "--notice", "attested")
    assert (status, states(report)) == (0, {"a.wav": "sealed"}), told
    query = "SELECT state FROM calls WHERE tenant_id = CAST(:tenant AS uuid) ORDER BY started_at"
    rows = await ingest.query(query, tenant=str(credentials.tenant_id))
    assert [row.state for row in rows] == ["empty", "sealed"]


async def test_a_key_that_is_refused_is_told(ingest: IngestService, folder: Path) -> None:
    (folder / "a.wav").write_bytes(wav(bytes(1600), 8000, 1))
    stranger = replace(await ingest.add_tenant(), api_key="otk_nobody")
    status, report, told = await imported(ingest, stranger, folder)
    assert status == 1
    assert "401" in report["recordings"][0]["reason"]
    assert "otk_nobody" not in told
