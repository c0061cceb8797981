"""`kill -9` of everything but PostgreSQL at random times, with three calls under way and readers reading.

The clients' own journals are the truth. The seed of a run is printed; `OTOKURA_FAULT_SEED` repeats it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Iterator

import pytest

from fault.evidence import collect
from fault.history import violations
from fault.storm import Storm
from whole import Whole, whole_system

QUIET_SECONDS = 25.0
"""Longer than a source may be silent and a number missing: what is going to be an alarm is one by then."""

SETTINGS = {
    "ingest": {"OTOKURA_SEGMENT_SECONDS": "2", "OTOKURA_LEASE_SECONDS": "5"},
    "transcribe": {"OTOKURA_LEASE_SECONDS": "10"},
    "audit": {"OTOKURA_GAP_SECONDS": "10", "OTOKURA_SILENCE_SECONDS": "20"},
}
"""Shorter than usual, so that more happens in a minute."""


@pytest.fixture
def system() -> Iterator[Whole]:
    """A stack of its own: it suffers."""
    with whole_system(SETTINGS) as whole:
        yield whole


@pytest.mark.guarantee("F2")
@pytest.mark.guarantee("F3")
@pytest.mark.guarantee("F4")
@pytest.mark.guarantee("F5")
@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.s3
@pytest.mark.sounds
@pytest.mark.slow
async def test_twenty_kills_cost_nothing_that_was_promised(system: Whole) -> None:
    seed = int(os.environ.get("OTOKURA_FAULT_SEED") or secrets.randbelow(1 << 32))
    sys.stdout.write(f"seed {seed}\n")
    storm = Storm(system, seed)
    try:
        history = await storm.run()
        await asyncio.sleep(max(0.0, QUIET_SECONDS - (time.monotonic() - storm.last_kill)))
        await collect(system, history)
    finally:
        sys.stdout.write("\n".join([*system.told, *system.complaints(), ""]))
    sys.stdout.write(f"{len(history.journals)} calls, {len(history.reads)} reads, {history.answers}\n")
    sys.stdout.write(f"{len(history.log)} entries, alerts: {history.alerts}\n")
    wrong = violations(history)
    assert not wrong, "\n".join(wrong)
