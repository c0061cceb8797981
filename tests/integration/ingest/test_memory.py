"""A file of a gigabyte passes through a process that stays small."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from audio_files import long_wav
from ingest_service import IngestService, start_call

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.slow]

GIGABYTE = 1_000_000_000
ALLOWED = 64_000_000


def memory(process_id: int, what: str) -> int:
    """`VmRSS` (now) or `VmHWM` (the most since it was reset) of a process, in bytes."""
    status = Path(f"/proc/{process_id}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith(what)]
    return int(line.split()[1]) * 1024


def reset_peak(process_id: int) -> None:
    """From here on `VmHWM` counts anew (proc(5))."""
    Path(f"/proc/{process_id}/clear_refs").write_text("5")


@pytest.mark.guarantee("A10")
async def test_a_gigabyte_raises_the_memory_by_less_than_64_megabytes(
    ingest: IngestService, client: httpx.AsyncClient
) -> None:
    """The peak during the upload and its examination, against what the process took just before."""
    process_id = ingest.program.pid
    assert process_id is not None
    warm = await start_call(client)
    response = await client.put(f"/v1/calls/{warm['id']}/audio", content=long_wav(1_000_000))
    assert response.status_code == 201
    before = memory(process_id, "VmRSS")
    reset_peak(process_id)
    call = await start_call(client)
    response = await client.put(
        f"/v1/calls/{call['id']}/audio", content=long_wav(GIGABYTE), timeout=httpx.Timeout(600)
    )
    assert response.status_code == 201, response.text
    assert response.json()["recording"]["plaintext_bytes"] == GIGABYTE
    raised = memory(process_id, "VmHWM") - before
    print(f"an upload of {GIGABYTE} bytes raised the memory by {raised / 1e6:.1f} MB")  # noqa: T201
    assert raised < ALLOWED
