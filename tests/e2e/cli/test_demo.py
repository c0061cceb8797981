"""`otokura demo --json` does all that it promises, and says so in one object."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import servers

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.s3, pytest.mark.slow]


def test_two_calls_are_made_read_refused_and_verified() -> None:
    with servers.scratch_folder("demo") as folder:
        command = [sys.executable, "-m", "otokura.cli", "demo", "--json", "--data", str(folder / "data")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome.pop("seconds") > 0
    assert outcome.pop("audit_entries") >= 7
    assert outcome == {
        "calls": 2,
        "transcribed": 2,
        "reads_allowed": 4,
        "reads_denied": 3,
        "audit_verified": True,
        "evidence_verified": True,
        "evidence_tampering_found": True,
    }
