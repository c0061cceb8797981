"""Takes away from this process what decoding does not need, before it sees a byte of the file.

Limits on memory, CPU time and files (setrlimit(2)), and on Linux a seccomp filter (seccomp(2)) that leaves
reading and writing the open pipes, memory, and ending. So a decoder that a file has taken over can make no
connection, open no file, start no process and touch none; it can lie about the audio, and that is all.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_ALLOW, _DENY, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # SECCOMP_RET_ALLOW, …_ERRNO|EPERM, …_KILL_PROCESS
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4  # offsets in struct seccomp_data

# The audit architecture, and by line: descriptors; memory; signals; threads and time; the machine; ending.
_ARCHITECTURES: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        (
            *(0, 1, 3, 5, 8),  # read write close fstat lseek
            *(9, 10, 11, 12, 25, 28),  # mmap mprotect munmap brk mremap madvise
            *(13, 14, 15, 131),  # rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack
            *(
                202,
                24,
                39,
                186,
                228,
                230,
                35,
            ),  # futex sched_yield getpid gettid clock_gettime …sleep
            *(98, 318, 99, 204),  # getrusage getrandom sysinfo sched_getaffinity
            *(219, 60, 231),  # restart_syscall exit exit_group
        ),
    ),
    "aarch64": (  # the same calls in the same order
        0xC00000B7,
        (
            *(63, 64, 57, 80, 62),
            *(222, 226, 215, 214, 216, 233),
            *(134, 135, 139, 132),
            *(98, 124, 172, 178, 113, 115, 101),
            *(165, 278, 179, 123),
            *(128, 93, 94),
        ),
    ),
}


class ConfinementError(Exception):
    """This system cannot confine the decoder, so nothing is decoded."""


def confine(memory_bytes: int, cpu_seconds: int) -> None:
    """Confines the calling process, for good. Its open descriptors must be 0, 1 and 2.

    Args:
        memory_bytes: address space.
        cpu_seconds: processor time; after it the process is killed.

    Raises:
        ConfinementError: Linux on another processor than x86_64 or aarch64, or a kernel without seccomp.
    """
    # A second between the soft and the hard limit: SIGXCPU comes first, and tells what happened.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_NOFILE, 3),  # no descriptor beyond the three: no file, no socket
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),  # a core dump would hold the audio
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(limit, (value, value))
    if sys.platform == "linux":
        _filter_system_calls()


def _filter_system_calls() -> None:
    if platform.machine() not in _ARCHITECTURES:
        raise ConfinementError(f"no system call filter is known for {platform.machine()}")
    program = _program(*_ARCHITECTURES[platform.machine()])
    count = len(program) // 8
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog { unsigned short len; struct sock_filter *filter; }
    fprog = ctypes.create_string_buffer(struct.pack("HP", count, ctypes.addressof(code)))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(fprog))


def _program(architecture: int, allowed: tuple[int, ...]) -> bytes:
    """The filter as BPF instructions `struct sock_filter { u16 code; u8 jt, jf; u32 k; }`."""
    instructions = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        *((_JUMP_IF_EQUAL, len(allowed) - index, 0, number) for index, number in enumerate(allowed)),
        (_RETURN, 0, 0, _DENY),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def _prctl(option: int, second: int, third: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (ctypes.c_ulong(value) for value in (second, third, 0, 0))
    if libc.prctl(option, *arguments) != 0:
        raise ConfinementError(f"prctl({option}): {os.strerror(ctypes.get_errno())}")
