"""What tests bring from elsewhere into `.cache`: once, however many of them want it at the same time."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def fetched(
    home: Path, script: Sequence[str | Path], *, current: Callable[[], bool] = lambda: True
) -> str | None:
    """Fills a folder by its script, unless it is complete; None, or the script's last words if it failed.

    Test processes wait for each other: a script that writes over a program while another process runs it
    ends that process by SIGBUS.

    Args:
        home: the folder; its script leaves a file `complete` in it.
        script: the command.
        current: whether a complete folder is still what is wanted.
    """
    home.parent.mkdir(exist_ok=True)
    with home.with_name(home.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (home / "complete").exists() and current():
            return None
        done = subprocess.run(script, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip()[-300:]
