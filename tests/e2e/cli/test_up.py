"""`otokura up`, as a person uses it: started, found by the other commands, killed, started again, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

import servers

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow]
OTOKURA = [sys.executable, "-m", "otokura.cli"]
PATIENCE = 300.0


@contextmanager
def up(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running `otokura up --json`, and what it printed."""
    command = [*OTOKURA, "up", "--json", "--data", str(folder)]
    with (folder.parent / "up.log").open("a") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        with process.stdout:
            line = process.stdout.readline()
            assert line, (folder.parent / "up.log").read_text()
            yield process, json.loads(line)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*OTOKURA, *arguments, "--data", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def processes(folder: Path) -> list[psutil.Process]:
    state = json.loads((folder / "stack.json").read_text())
    return [psutil.Process(one["pid"]) for one in state["processes"].values()]


@pytest.mark.guarantee("K1")
@pytest.mark.guarantee("K2")
def test_it_is_killed_and_starts_again_on_its_data() -> None:
    with servers.scratch_folder("up") as scratch:
        folder = scratch / "data"
        with up(folder) as (process, first):
            call = run(folder, "call", "send", "examples/calls/en-support.wav")
            assert call.returncode == 0, call.stderr
            credentials = Path(first["credentials"]).read_bytes()
            parts = processes(folder)
            assert len(parts) == 7
            process.send_signal(signal.SIGKILL)
            process.wait()
            _, alive = psutil.wait_procs(parts, timeout=60)
            assert alive == []
        with up(folder) as (process, second):
            assert second == first
            assert Path(second["credentials"]).read_bytes() == credentials
            token = run(folder, "token", "vendor").stdout.strip()
            assert token.count(".") == 2
            verified = run(folder, "verify", "--json")
            assert (verified.returncode, json.loads(verified.stdout)["ok"]) == (0, True)
            refused = run(folder, "up")
            assert refused.returncode == 1
            assert "already runs" in refused.stderr
            parts = processes(folder)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            assert [part for part in parts if part.is_running()] == []
            assert not (folder / "stack.json").exists()
        in_the_clear = [path for path in folder.rglob("*") if path.is_file() and leaks(path, credentials)]
        assert in_the_clear == [folder / "credentials.json"]


def leaks(path: Path, credentials: bytes) -> bool:
    """Whether a file shows one of the secrets."""
    secrets = [one["client_secret"].encode() for one in json.loads(credentials)["principals"].values()]
    content = path.read_bytes() if os.access(path, os.R_OK) else b""
    return any(secret in content for secret in secrets)
