"""Run a program that ends when its parent does: `tether.py PARENT SIGNAL USER PROGRAM ARG…`.

Linux clears `PR_SET_PDEATHSIG` (prctl(2)) when a process changes user, so the change of user comes first.
It is a program of its own, not a `preexec_fn`: those run Python between fork and exec, which can
deadlock when the parent has threads. Started with `-I -S` it needs the standard library alone.
"""

import ctypes
import os
import pwd
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ["HOME"] = "/"


def tie(parent: int, last_signal: int) -> None:
    """Have the kernel send this process `last_signal` when `parent` ends; ends it when that has happened."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # exec and fork keep what the parent ignored
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, last_signal, 0, 0, 0)
        if os.getppid() != parent:  # it died before the prctl
            sys.exit(1)


def main() -> None:
    """Tie this process to its parent, then become the program."""
    parent, last_signal, user, *command = sys.argv[1:]
    if user != "-":
        _become(user)
    tie(int(parent), int(last_signal))
    os.execvp(command[0], command)  # noqa: S606 - becoming the given program is what this is for


if __name__ == "__main__":
    main()
