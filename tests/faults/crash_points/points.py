"""The system calls of an operation, listed by strace, and runs of the operation with a fault at one of them.

For each run a process is forked, waits until strace is attached, and reports the result by its exit status: so neither Python
nor libraries are loaded, and nothing but the operation is traced.
"""

import ctypes
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.crash_points.operation import Operation

KILL, EIO, ENOSPC, FULL = "KILL", "EIO", "ENOSPC", "full"
ACKNOWLEDGED, REFUSED, FAILED = 0, 3, 4
SECONDS = 60.0  # time limit of an operation with any fault
PR_SET_PTRACER = 0x59616D61
READS = ("read", "pread64", "getdents64")
FILLS = (  # calls that a full disk may refuse, besides creation
    *("write", "pwrite64", "writev", "pwritev", "ftruncate", "fallocate", "sendfile", "copy_file_range"),
    *("mkdir", "link", "linkat", "rename", "fsync", "fdatasync"),
)
CHANGES = (*FILLS, "unlink", "unlinkat", "rmdir", "renameat", "renameat2", "mkdirat", "symlink", "truncate", "creat")
OPENS = ("open", "openat")
CALL = re.compile(r"(\w+)\((.*)")


@dataclass(frozen=True)
class Call:
    """One system call of an operation, the `number`-th of its name, on a file in the home. `earlier` counts all calls
    before it, by name."""

    name: str
    number: int
    text: str
    earlier: Counter[str]

    def kinds(self) -> list[str]:
        """The faults that apply. A kill before a call that changes nothing equals one before the next call that
        does."""
        creates = self.name in OPENS and "O_CREAT" in self.text
        changes = creates or self.name in CHANGES
        fills = creates or self.name in FILLS
        return [KILL] * changes + [EIO] + [ENOSPC, FULL] * fills

    def injections(self, kind: str) -> list[str]:
        """Options of strace. `full` is a disk that is full from this call on."""
        if kind == KILL:
            return [f"{self.name}:signal=KILL:when={self.number}"]
        if kind == FULL:
            return [f"{name}:error=ENOSPC:when={self.earlier[name] + 1}+" for name in FILLS]
        return [f"{self.name}:error={kind}:when={self.number}"]


@dataclass(frozen=True)
class Outcome:
    """How a process ended: its exit status or negative signal, and the error that it printed."""

    status: int
    message: str
    hit: bool  # whether the fault was injected


def calls(operation: Operation, home: Path) -> list[Call]:
    """Runs the operation in that home and returns its system calls on the home."""
    outcome, lines = _traced(operation, home, [])
    if outcome.status != ACKNOWLEDGED:
        raise RuntimeError(f"{operation.name} fails without any fault: {outcome.message}")
    found, earlier = [], Counter[str]()
    for line in lines:
        if (match := CALL.match(line)) is None:
            continue
        name = match[1]
        if str(home) in match[2]:
            found.append(Call(name, earlier[name] + 1, match[2].replace(str(home), ""), earlier.copy()))
        earlier[name] += 1
    return found


def run_with_fault(operation: Operation, home: Path, call: Call, kind: str) -> Outcome:
    """Runs the operation in that home with this fault at this call."""
    return _traced(operation, home, call.injections(kind))[0]


def _traced(operation: Operation, home: Path, injections: list[str]) -> tuple[Outcome, list[str]]:
    trace, message_file = home.with_suffix(".trace"), home.with_suffix(".said")
    ready, ready_writer = os.pipe()
    go, go_writer = os.pipe()
    child = os.fork()
    if child == 0:
        _child(operation, home, message_file, ready_writer, go)
    os.close(ready_writer)
    os.close(go)
    status = None
    try:
        if not os.read(ready, 1):
            raise RuntimeError(f"{operation.name} cannot begin: {message_file.read_text()}")
        names = ",".join((*READS, *CHANGES, *OPENS))
        arguments = [f"--inject={each}" for each in injections]
        command = ["strace", "-y", "-s", "0", f"--trace={names}", *arguments, "-o", str(trace), "-p", str(child)]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as strace:  # noqa: S603 - our own
            _wait_for_strace(strace)
            os.write(go_writer, b"g")
            status = _ended(child)
            strace.wait()
    finally:
        os.close(ready)
        os.close(go_writer)
        if status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    lines = trace.read_text(errors="replace").splitlines()
    hit = status == -signal.SIGKILL or any("(INJECTED)" in line for line in lines)
    return Outcome(status, message_file.read_text(errors="replace"), hit), lines


def _child(operation: Operation, home: Path, message_file: Path, ready_writer: int, go: int) -> None:
    status = FAILED
    try:
        descriptor = os.open(message_file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        for each in (1, 2):
            os.dup2(descriptor, each)
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(2**64 - 1), 0, 0, 0)
        act = operation.act(home)
        next(act)
        os.write(ready_writer, b"r")
        select.select([go], [], [])  # a call that is not traced
        status = _act(operation, act)
    except BaseException:
        with suppress(OSError):
            traceback.print_exc()
            sys.stderr.flush()
    finally:
        os._exit(status)


def _act(operation: Operation, act: Iterator[None]) -> int:
    try:
        next(act, None)
    except operation.kind.refusals as error:
        with suppress(OSError):  # its output may be on the full disk as well
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            sys.stderr.flush()
        return REFUSED
    return ACKNOWLEDGED


def _wait_for_strace(strace: subprocess.Popen[bytes]) -> None:
    """Until strace reports that it is attached: then it misses no call."""
    assert strace.stderr is not None
    line = strace.stderr.readline()
    if b"attached" not in line:
        raise RuntimeError(f"strace cannot trace: {line.decode()}")


def _ended(child: int) -> int:
    deadline = time.monotonic() + SECONDS
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -signal.SIGALRM
        time.sleep(0.0005)


def in_a_process(work: Callable[[], Any], message_file: Path) -> Any:
    """The result of `work`, as JSON, from a new process without earlier state."""

    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            answer = json.dumps(work()).encode()
            with os.fdopen(writer, "wb") as file:
                file.write(answer)
            status = 0
        except BaseException:
            message_file.write_text(traceback.format_exc())
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        data = file.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(message_file.read_text())
    return json.loads(data)
