"""Recorded sessions of each dialect, played by `otokura call replay` to a running ingest."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from dialects.audiohook import AudioHook, Genesys
from dialects.dialect import Dialect
from dialects.every import EVERY
from dialects.outcome import calls_of, expected, sealed
from dialects.sessions import FOLDER, read, record, sample_audio
from ingest_service import Credentials, IngestService
from otokura.cli.__main__ import app
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

RECORDED = [one for one in EVERY if record(one) is not None]


async def replayed(ingest: IngestService, file: Path, *options: str) -> tuple[int, str, str]:
    """How the command ends, what it prints, and what it complains of."""
    argv = ["call", "replay", str(file), "--url", ingest.url, *options]
    result = await asyncio.to_thread(CliRunner().invoke, app, argv)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.guarantee("A50")
@pytest.mark.parametrize("dialect", RECORDED, ids=lambda dialect: dialect.name)
async def test_a_recorded_session_becomes_the_recording_that_it_was(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, dialect: Dialect
) -> None:
    """A second of a sample call, twice as fast as it was spoken; the command prints what became of it."""
    external_id = dialect.new_id()
    options = ["--api-key", credentials.api_key, "--external-id", external_id, "--speed", "2"]
    if isinstance(dialect, AudioHook):
        genesys = Genesys(ingest, credentials)
        await genesys.register()
        options += ["--client-secret", b64encode(genesys.secret).decode()]
    status, told, complaint = await replayed(ingest, FOLDER / f"{dialect.name}.jsonl", *options)
    assert status == 0, complaint
    outcome = await sealed(ingest, client, external_id)
    assert told == f"{outcome.view['id']} sealed 1.00 s\n"
    assert np.array_equal(outcome.samples, expected(dialect, sample_audio(dialect)))
    assert outcome.manifest.gaps == []


@pytest.mark.parametrize("dialect", RECORDED, ids=lambda dialect: dialect.name)
def test_the_recorded_sessions_are_what_the_dialects_say_today(dialect: Dialect) -> None:
    """`python tests/dialects/sessions.py` makes them again."""
    assert read(FOLDER / f"{dialect.name}.jsonl") == record(dialect)


@pytest.mark.parametrize("name", ["twilio", "jambonz"])
async def test_a_replay_that_ingest_refuses_says_so(ingest: IngestService, name: str) -> None:
    external_id = f"{name}-{uuid7()}"
    options = ("--api-key", "otk_wrong", "--external-id", external_id, "--wait", "0")
    status, told, complaint = await replayed(ingest, FOLDER / f"{name}.jsonl", *options)
    assert (status, told) == (1, "")
    assert "401" in complaint
    assert await calls_of(ingest, external_id) == []


async def test_what_is_no_session_is_told(ingest: IngestService, tmp_path: Path) -> None:
    """A file of something else, and one that breaks off within a line."""
    good = (FOLDER / "asterisk.jsonl").read_text()
    files = {"other": ("RIFF\n", "does not begin"), "broken": (good[:3000], "is no message")}
    for name, (text, words) in files.items():
        file = tmp_path / name
        file.write_text(text)
        status, _, complaint = await replayed(ingest, file, "--api-key", "otk_x", "--wait", "0")
        assert status == 1
        assert words in complaint or "401" in complaint
