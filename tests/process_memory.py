"""What a process takes, as Linux counts it (proc(5))."""

from __future__ import annotations

from pathlib import Path

from ingest_service import IngestService


def memory(process_id: int, what: str) -> int:
    """`VmRSS` (now) or `VmHWM` (the most since it was reset) of a process, in bytes."""
    status = Path(f"/proc/{process_id}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith(what)]
    return int(line.split()[1]) * 1024


def measured_from_here(ingest: IngestService) -> tuple[int, int]:
    """The process id, and its memory now; from here on `VmHWM` counts anew."""
    process_id = ingest.program.pid
    assert process_id is not None
    Path(f"/proc/{process_id}/clear_refs").write_text("5")
    return process_id, memory(process_id, "VmRSS")


def peak(process_id: int) -> int:
    """The most that it took since."""
    return memory(process_id, "VmHWM")
