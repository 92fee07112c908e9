"""Really stopping a process: a forked child is traced by ptrace(2) and killed at a chosen file-system call.

Nothing of the code under test is replaced. The tracer counts the system calls that concern one folder, at their
entry, and can kill the child there (the call never happens), let the call fail with an errno, or cut a write short.
Linux 5.3 or newer on x86-64 (PTRACE_GET_SYSCALL_INFO).
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("ptrace(2) and fork(2) are not on this system", allow_module_level=True)

TRACEME, CONT, KILL, SYSCALL, SETREGS, GETREGS = 0, 7, 8, 24, 13, 12
SETOPTIONS, GET_SYSCALL_INFO = 0x4200, 0x420E
O_TRACESYSGOOD, O_EXITKILL = 1, 0x100000
SYSCALL_STOP = signal.SIGTRAP | 0x80
ENTRY, EXIT = 1, 2

FD, PATH, AT = "fd", "path", "at"
CALLS = {
    0: ("read", FD, 0), 1: ("write", FD, 0), 2: ("open", PATH, 0), 3: ("close", FD, 0), 4: ("stat", PATH, 0),
    5: ("fstat", FD, 0), 6: ("lstat", PATH, 0), 8: ("lseek", FD, 0), 17: ("pread64", FD, 0), 18: ("pwrite64", FD, 0),
    20: ("writev", FD, 0), 21: ("access", PATH, 0), 40: ("sendfile", FD, 0), 73: ("flock", FD, 0), 74: ("fsync", FD, 0),
    75: ("fdatasync", FD, 0), 76: ("truncate", PATH, 0), 77: ("ftruncate", FD, 0), 82: ("rename", PATH, 0),
    83: ("mkdir", PATH, 0), 84: ("rmdir", PATH, 0), 86: ("link", PATH, 0), 87: ("unlink", PATH, 0),
    90: ("chmod", PATH, 0), 91: ("fchmod", FD, 0), 217: ("getdents64", FD, 0), 257: ("openat", AT, 0),
    258: ("mkdirat", AT, 0), 262: ("newfstatat", AT, 0), 263: ("unlinkat", AT, 0), 264: ("renameat", AT, 0),
    265: ("linkat", AT, 0), 268: ("fchmodat", AT, 0), 269: ("faccessat", AT, 0), 316: ("renameat2", AT, 0),
    326: ("copy_file_range", FD, 2), 332: ("statx", AT, 0), 439: ("faccessat2", AT, 0), 452: ("fchmodat2", AT, 0),
}  # fmt: skip
"""x86-64 system call numbers (arch/x86/entry/syscalls/syscall_64.tbl) → name, which argument is its file."""


class _Info(ctypes.Structure):
    """struct ptrace_syscall_info (linux/ptrace.h), its entry variant."""

    _fields_ = (
        ("op", ctypes.c_uint8), ("_pad", ctypes.c_uint8 * 3), ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64), ("stack_pointer", ctypes.c_uint64),
        ("nr", ctypes.c_uint64), ("args", ctypes.c_uint64 * 6),
    )  # fmt: skip


class _Registers(ctypes.Structure):
    """struct user_regs_struct of x86-64 (sys/user.h)."""

    _fields_ = tuple(
        (name, ctypes.c_ulonglong)
        for name in (
            *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi"),
            *("orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"),
        )
    )


READ_ONLY = frozenset({
    "read", "pread64", "close", "stat", "fstat", "lstat", "lseek", "access", "flock", "getdents64", "newfstatat",
    "faccessat", "faccessat2", "statx",
})  # fmt: skip
MAY_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Call:
    """A system call of the child, the file it concerns, and whether it can change anything on disk."""

    name: str
    path: str
    changes: bool


@dataclass(frozen=True)
class Outcome:
    """What became of the child: the calls that it began, whether it was killed, and what it raised."""

    calls: tuple[Call, ...]
    killed: bool
    error: str | None


@dataclass(frozen=True)
class Fault:
    """What happens at the `at`-th call (from 1): killed, failed with `errno`, or a write cut to `short`."""

    at: int
    errno: int | None = None
    short: int | None = None
    among: str | None = None
    """Count only calls of this name."""


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


def require_ptrace() -> None:
    """Skip, with the reason, where processes cannot be traced."""
    if platform.machine() != "x86_64":
        pytest.skip("the system calls' numbers and registers are those of x86-64")
    try:
        run(lambda: None, Path("/nonexistent"))
    except PermissionError as error:
        pytest.skip(f"processes may not be traced here: {error}")


def run(work: Callable[[], object], root: Path, fault: Fault | None = None) -> Outcome:
    """Run `work` in a forked child, tracing its calls on files under `root`, and let `fault` happen to it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _be_traced(work, writer)
    os.close(writer)
    try:
        calls, killed = _trace(child, str(root), fault)
        error = b""
        while chunk := os.read(reader, 65536):
            error += chunk
    finally:
        os.close(reader)
    return Outcome(tuple(calls), killed, error.decode() or None)


def _be_traced(work: Callable[[], object], writer: int) -> None:
    code = 1
    try:
        _libc.ptrace(TRACEME, 0, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        work()
        code = 0
    except BaseException:  # noqa: BLE001  the child's outermost frame: whatever it is goes to the parent, whole
        os.write(writer, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _ptrace(request: int, pid: int, address: int | None = None, data: object = None) -> int:
    result = int(_libc.ptrace(request, pid, address, data))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _trace(child: int, root: str, fault: Fault | None) -> tuple[list[Call], bool]:
    calls: list[Call] = []
    counted = 0
    failing: int | None = None
    _, status = os.waitpid(child, 0)
    if not os.WIFSTOPPED(status):
        raise PermissionError("the child could not be stopped")
    _ptrace(SETOPTIONS, child, 0, ctypes.c_void_p(O_TRACESYSGOOD | O_EXITKILL))
    deliver = 0
    while True:
        _ptrace(SYSCALL, child, 0, ctypes.c_void_p(deliver))
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            return calls, False
        deliver = 0
        if os.WSTOPSIG(status) != SYSCALL_STOP:
            deliver = 0 if os.WSTOPSIG(status) == signal.SIGSTOP else os.WSTOPSIG(status)
            continue
        info = _Info()
        _ptrace(GET_SYSCALL_INFO, child, ctypes.sizeof(info), ctypes.byref(info))
        if info.op == EXIT and failing is not None:
            _set_registers(child, rax=(1 << 64) - failing)
            failing = None
        if info.op != ENTRY or (call := _concerning(child, info, root)) is None:
            continue
        calls.append(call)
        if fault is None or (fault.among is not None and call.name != fault.among):
            continue
        counted += 1
        if counted != fault.at:
            continue
        if fault.errno is not None:
            _set_registers(child, orig_rax=(1 << 64) - 1)  # no such call: nothing happens in the kernel
            failing = fault.errno
        elif fault.short is not None:
            _set_registers(child, rdx=min(fault.short, info.args[2]))
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return calls, True


def _set_registers(child: int, **values: int) -> None:
    registers = _Registers()
    _ptrace(GETREGS, child, 0, ctypes.byref(registers))
    for name, value in values.items():
        setattr(registers, name, value)
    _ptrace(SETREGS, child, 0, ctypes.byref(registers))


def _concerning(child: int, info: _Info, root: str) -> Call | None:
    name, kind, index = CALLS.get(info.nr, ("", "", 0))
    if not name:
        return None
    if kind == FD:
        path = _file_of(child, info.args[index])
    elif kind == PATH:
        path = _text_at(child, info.args[index])
    else:
        path = _text_at(child, info.args[index + 1])
        if not path.startswith("/"):
            folder = ctypes.c_int32(info.args[index] & 0xFFFFFFFF).value
            path = os.path.join(_file_of(child, folder) if folder >= 0 else "", path)
    if path != root and not path.startswith(root + "/"):
        return None
    opens = {"open": 1, "openat": 2}.get(name)
    return Call(name, path, info.args[opens] & MAY_WRITE != 0 if opens else name not in READ_ONLY)


def _file_of(child: int, descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/{child}/fd/{descriptor}")
    except OSError:
        return ""


def _text_at(child: int, address: int) -> str:
    if not address:
        return ""
    memory = os.open(f"/proc/{child}/mem", os.O_RDONLY)
    try:
        text = b""
        while b"\0" not in text and len(text) < 4096:
            # To the end of the page only: the next one may not be mapped.
            text += os.pread(memory, 4096 - (address + len(text)) % 4096, address + len(text))
        return text.split(b"\0", 1)[0].decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(memory)
