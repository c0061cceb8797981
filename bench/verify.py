"""`otokura verify` of a log of a million entries: seconds and memory, from a folder and over HTTP.

Makes the log once, with the writer's own code (leaves of a few sources, as long as real ones), and starts the
real command in a process of its own, start-up and imports included, ROUNDS times for each place; the median
counts, and the most memory. The server on 127.0.0.1 does no more than send files. Prints one JSON line; exits
1 below a bar. ENTRIES gives another size.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent))
from audit_tiles import leaves

import servers
from audit_logs import FolderLog
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import Program, accepts

ENTRIES = int(os.environ.get("ENTRIES", "1000000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = 10.0
MEGABYTES = 300.0
LOOK_SECONDS = 0.01


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder's address."""
    port = free_ports(1)[0]
    argv = [sys.executable, str(Path(__file__).with_name("verify_server.py")), str(folder), str(port)]
    log = folder.parent / "server.log"
    server = Program("server", argv, env=servers.inherited_environment(), log=log)
    server.start()
    try:
        server.wait_until(lambda: accepts(port), 30.0)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()


class Watching(Thread):
    """The most memory that a process had, as long as it runs.

    What `wait4` tells would be the most of this process, if that is more: the child begins as its copy.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.megabytes = 0.0
        self._status = Path(f"/proc/{pid}/status")
        self.start()

    def run(self) -> None:
        """Looks until the process has ended."""
        while True:
            try:
                lines = self._status.read_text().splitlines()
            except OSError:
                return
            peaks = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
            if not peaks:
                return  # it has ended
            self.megabytes = int(peaks[0]) / 1000
            time.sleep(LOOK_SECONDS)


def verify(location: str, vkey: str) -> tuple[float, float, float]:
    """One run of the command: its seconds, its CPU-seconds, and the most megabytes it had."""
    argv = [str(Path(sys.executable).with_name("otokura")), "verify", location, "--key", vkey, "--json"]
    began = time.perf_counter()
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own command
        assert process.stdout is not None
        most = Watching(process.pid)
        told: dict[str, Any] = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - began
    if process.returncode != 0 or not told["ok"] or told["entries"] != ENTRIES:
        raise SystemExit(f"the log did not verify: {told}")
    return took, usage.ru_utime + usage.ru_stime, most.megabytes


def measured(location: str, vkey: str) -> dict[str, float]:
    """The figures of a place."""
    seconds, cpu, megabytes = zip(*(verify(location, vkey) for _ in range(ROUNDS)), strict=True)
    took = statistics.median(seconds)
    return {
        "seconds": round(took, 2),
        "cpu_seconds": round(statistics.median(cpu), 2),
        "rss_mb": round(max(megabytes), 1),
        "entries_per_s": round(ENTRIES / took),
    }


def main() -> int:
    """Makes the log, measures, judges."""
    with servers.scratch_folder("bench") as folder:
        made = FolderLog(folder / "log", leaves(ENTRIES), Ed25519PrivateKey.generate()).write()
        vkey = made.vkey
        del made
        figures = {"folder": measured(str(folder / "log"), vkey)}
        with served(folder / "log") as address:
            figures["http"] = measured(address, vkey)
    met = all(one["seconds"] < SECONDS and one["rss_mb"] < MEGABYTES for one in figures.values())
    print(json.dumps({"bench": "verify", "entries": ENTRIES, "met": met, **figures}))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
