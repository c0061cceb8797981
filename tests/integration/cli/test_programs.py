"""Programs that we start are waited for, stopped and started again, and never outlive us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from otokura.cli.local import running
from otokura.cli.local.program import Program, StartError
from otokura.cli.local.supervised import Supervised

PATIENCE = 30.0


def python(code: str, log: Path, name: str = "child") -> Program:
    return Program(name, [sys.executable, "-c", textwrap.dedent(code)], env=dict(os.environ), log=log)


def wait_for(condition: object, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_one_that_ends_before_it_is_ready_is_reported_with_its_last_words(tmp_path: Path) -> None:
    program = python("raise SystemExit('no such database')", tmp_path / "log")
    program.start()
    with pytest.raises(StartError, match="no such database"):
        program.wait_until(lambda: False)


def test_one_that_ignores_being_asked_is_killed(tmp_path: Path) -> None:
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready", flush=True)
        time.sleep(600)
    """
    program = python(code, tmp_path / "log")
    program.start()
    program.wait_until(lambda: "ready" in program.last_words())
    program.stop(timeout=0.2)
    assert program.returncode == -signal.SIGKILL


def test_a_signal_that_we_ignore_still_reaches_it(tmp_path: Path) -> None:
    """While a stack stops it ignores Ctrl-C; what is started then must not inherit that."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        program = python("import time; print('ready', flush=True); time.sleep(600)", tmp_path / "log")
        program.start()
        program.wait_until(lambda: "ready" in program.last_words())
        program.stop()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert program.returncode == -signal.SIGTERM


def test_one_that_died_meanwhile_is_not_in_the_record_of_what_runs(tmp_path: Path) -> None:
    """Else whoever looks after the stack would stop at it, and start nothing again any more."""
    program = python("import time; time.sleep(600)", tmp_path / "log")
    program.start()
    pid = program.pid
    program.kill()
    living = running.living({"dead": pid, "never started": None, "alive": os.getpid()})
    assert living == {"alive": running.ProcessId.of(os.getpid())}


@pytest.mark.guarantee("K1")
def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = f"""
        import time
        from pathlib import Path
        from otokura.cli.local.program import Program
        env, log = {{"PATH": "/usr/bin:/bin"}}, Path({str(tmp_path / "log")!r})
        child = Program("child", ["sleep", "600"], env=env, log=log)
        child.start()
        print(child.pid, flush=True)
        time.sleep(600)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(parent)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        child = psutil.Process(int(process.stdout.readline()))
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs([child], timeout=PATIENCE)
    assert alive == []


def test_what_dies_is_started_again_and_what_is_stopped_is_not(tmp_path: Path) -> None:
    class Sleeper:
        program = python("import time; time.sleep(600)", tmp_path / "log", "sleeper")

        def stop(self) -> None:
            self.program.stop()

    sleeper = Sleeper()
    part = Supervised("sleeper", sleeper, sleeper.program.start)
    sleeper.program.start()
    part.started()
    assert part.check() is None
    first = sleeper.program.pid
    sleeper.program.kill()
    assert part.check() == "sleeper ended (-9), starting it again in 1 s"
    wait_for(lambda: part.check() == "sleeper runs again", "it was not started again")
    assert (sleeper.program.running, part.restarts) == (True, 1)
    assert sleeper.program.pid != first
    part.stop()
    assert part.check() is None
    assert not sleeper.program.running
