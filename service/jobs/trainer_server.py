"""The trainer server: a small process that has loaded what every training needs, and forks a child for each attempt.

It talks JSON lines over the socket it was started with. `{"run": ticket}` comes with the descriptor of the attempt's
own socket; it answers `{"ready": true}` once, `{"started": ticket, "pid": …}` and `{"ended": ticket, "status": …}`.
Where fork is not safe (macOS) each attempt is a freshly started interpreter instead: slower, the same otherwise.
"""

import contextlib
import ctypes
import importlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path

from service.jobs.attempt import Attempt
from service.jobs.errors import AttemptFailed, AttemptSuperseded
from service.jobs.lines import CHUNK, Lines

FORKS = sys.platform == "linux"
NICENESS = 10  # trainings give way to predictions
PR_SET_PDEATHSIG = 1


def serve(control: socket.socket, entry: str, preload: list[str]) -> None:
    """Serves until the service closes its end."""
    die_with_parent()
    work = load(entry)
    for name in preload:
        importlib.import_module(name)
    lines, tickets = Lines(control), {}
    descriptors: deque[int] = deque()
    woken = _wake_on_child_exit()
    lines.send({"ready": True})
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is woken:
                    woken.recv(CHUNK)
                    continue
                chunk, received, _, _ = socket.recv_fds(control, CHUNK, 64)
                if not chunk:
                    return
                descriptors.extend(received)
                for message in lines.feed(chunk):
                    descriptor = descriptors.popleft()
                    pid = _start(work, entry, descriptor, others=[control.fileno(), woken.fileno(), *descriptors])
                    tickets[pid] = message["run"]
                    lines.send({"started": message["run"], "pid": pid})
            for pid, status in _reap():
                lines.send({"ended": tickets.pop(pid), "status": status})


def load(entry: str) -> Callable[[Attempt], dict[str, object]]:
    """The work, from its dotted name `package.module:function`."""
    module, _, name = entry.partition(":")
    work: Callable[[Attempt], dict[str, object]] = getattr(importlib.import_module(module), name)
    return work


def run(work: Callable[[Attempt], dict[str, object]], stream: socket.socket) -> int:
    """One attempt, in its own process: reads the job, works, and tells how it went. Returns the exit status."""
    lines = Lines(stream)
    try:
        attempt = Attempt(lines, lines.one())
        try:
            answer: dict[str, object] = {"result": work(attempt)}
        except AttemptFailed as error:
            with contextlib.suppress(OSError):
                attempt.flush()
            answer = {"error": {"code": error.code, "detail": error.detail}}
        lines.send(answer)
    except (AttemptSuperseded, BrokenPipeError, EOFError):
        return 1  # nobody waits for this attempt any more
    except Exception:
        traceback.print_exc()
        with contextlib.suppress(OSError):
            lines.send({"error": {"code": "crashed", "detail": "the training stopped at an error of the software"}})
        return 1
    return 0


def die_with_parent() -> None:
    """Asks Linux to kill this process when its parent ends, however it ends."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def threads() -> int:
    """How many threads this process has; more than one and a fork could deadlock its child."""
    return len(list(Path("/proc/self/task").iterdir())) if FORKS else 1


def _start(work: Callable[[Attempt], dict[str, object]], entry: str, descriptor: int, others: list[int]) -> int:
    if not FORKS:
        command = [sys.executable, "-m", "service.jobs.trainer_server", "attempt", str(descriptor), entry]
        child = subprocess.Popen(command, pass_fds=[descriptor])  # noqa: S603 - our own interpreter and module
        os.close(descriptor)
        return child.pid
    if threads() != 1:
        raise RuntimeError(f"the trainer server has {threads()} threads and cannot fork safely")
    pid = os.fork()
    if pid:
        os.close(descriptor)
        return pid
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for name in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(name, signal.SIG_DFL)
        for each in others:
            os.close(each)
        die_with_parent()
        os.nice(NICENESS)
        status = run(work, socket.socket(fileno=descriptor))
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def _wake_on_child_exit() -> socket.socket:
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reader


def _reap() -> list[tuple[int, int]]:
    """The children that have ended, each with its exit status; a negative one is the signal that killed it."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, os.waitstatus_to_exitcode(status)))


def main(arguments: list[str]) -> int:
    """`serve DESCRIPTOR ENTRY PRELOAD…` or `attempt DESCRIPTOR ENTRY`."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # a terminal's Ctrl-C reaches the whole group; the service decides
    command, descriptor, entry, *preload = arguments
    stream = socket.socket(fileno=int(descriptor))
    if command == "serve":
        serve(stream, entry, preload)
        return 0
    die_with_parent()
    return run(load(entry), stream)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
