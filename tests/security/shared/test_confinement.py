"""What a decoder that a file has taken over can still do: nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from messaging import eventually
from otokura.shared.media.process import DecoderProcess

ATTEMPTS = """
import ctypes, errno, json, os, resource, socket, subprocess, sys, threading
from otokura.shared.media.confine import confine

victim, folder, left_out = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
libc = ctypes.CDLL(None, use_errno=True)
attempts = {
    "read a file": lambda: open("/etc/passwd").read(),
    "write a file": lambda: open(os.path.join(folder, "written"), "w").write("x"),
    "connect by TCP": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "connect by a local socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "start a process": lambda: subprocess.run(["/bin/true"]),
    "fork": os.fork,
    "replace itself": lambda: os.execv("/bin/true", ["true"]),
    "start a thread": lambda: threading.Thread(target=print).start(),
    "signal its parent": lambda: os.kill(victim, 0),
    "trace its parent": lambda: failing(libc.ptrace(16, victim, 0, 0)),
    "read its parent's memory": lambda: failing(libc.process_vm_readv(victim, None, 0, None, 0, 0)),
    "delete a file": lambda: os.unlink(os.path.join(folder, "kept")),
    "list a folder": lambda: os.listdir("/"),
    "copy a descriptor": lambda: os.dup(1),
    "make a pipe": os.pipe,
    "raise its limits": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)),
    "take more memory": lambda: bytearray(1 << 30),
}

def failing(status):
    if status < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

confine(256 << 20, 10)
done = []
for name, attempt in attempts.items():
    if name in left_out:
        continue
    try:
        attempt()
    except (OSError, RuntimeError, MemoryError, ValueError):
        continue
    done.append(name)
os.write(1, json.dumps(done).encode())
os._exit(0)
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-I", "-c", program, *arguments],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


@pytest.mark.guarantee("M1")
def test_a_confined_process_can_do_nothing_but_compute(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    finished = run(ATTEMPTS, str(os.getpid()), str(tmp_path))
    assert finished.returncode == 0, finished.stderr.decode()
    assert json.loads(finished.stdout) == []
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_attempts_would_succeed_in_a_process_that_is_not_confined(tmp_path: Path) -> None:
    """The test above means something: most of it works when nobody forbids it."""
    (tmp_path / "kept").touch()
    program = ATTEMPTS.replace("confine(256 << 20, 10)", "")
    finished = run(program, str(os.getpid()), str(tmp_path), "fork", "replace itself", "trace its parent")
    done = json.loads(finished.stdout.splitlines()[-1])
    assert {"read a file", "write a file", "connect by TCP", "start a process", "signal its parent"} <= set(
        done
    )
    assert {"delete a file", "list a folder", "start a thread", "copy a descriptor"} <= set(done)


@pytest.mark.guarantee("M1")
def test_a_confined_process_that_computes_without_end_is_ended() -> None:
    program = "from otokura.shared.media.confine import confine\nconfine(256 << 20, 1)\nwhile True: pass"
    assert run(program).returncode == -24  # SIGXCPU


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
async def test_the_decoder_inherits_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets come to services in environment variables: the decoder's has none of them."""
    monkeypatch.setenv("OTOKURA_S3_SECRET_KEY", "very-secret")
    async with DecoderProcess.started(10) as decoder:
        pid = decoder._process.pid
        await eventually(lambda: bool(environment(pid)))  # the kernel shows it a moment after the start
        found = environment(pid)
    assert "LC_ALL=C.UTF-8" in found
    assert {entry.split("=")[0] for entry in found} <= {"LC_ALL", "LD_LIBRARY_PATH"}


def environment(pid: int) -> list[str]:
    content = Path(f"/proc/{pid}/environ").read_text(encoding="ascii")
    return [entry for entry in content.split("\0") if entry]
