"""The trainer server: a small process that has loaded what every training needs, and forks a child for each attempt.

It exchanges JSON lines over the socket that it was started with.

| message | meaning |
|---|---|
| `{"run": ticket}`, with two descriptors: the attempt's socket and the pipe for its output | start an attempt |
| `{"until": moment}` | attempts may run until then, by the monotonic clock; without a later moment they are killed |
| `{"ready": true}` | it has loaded; sent once |
| `{"started": ticket, "pid": …}` | the attempt's process |
| `{"ended": ticket, "status": …, "fenced": …}` | its exit status, and whether it was killed because of `until` |
| `{"alive": true}` | a heartbeat, each second: without it the service replaces this process |

Where fork is not safe (macOS, or a library that has started a thread) each attempt is a new interpreter instead: slower,
otherwise the same.
"""

import contextlib
import importlib
import math
import os
import selectors
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from service import interpreter
from service.jobs.attempt import Work, run_attempt
from service.jobs.executors.local.json_channel import CHUNK, JsonChannel
from service.jobs.executors.local.process_tree import kill_session, kill_strays, reap_for_all
from service.liveness import BEAT, die_with

NICENESS = 19  # the lowest priority: predictions go first
NOT_STARTED = 71  # the exit status of an attempt for which no process could be started: EX_OSERR
LEASE_CHECK_SECONDS = 0.5


class TrainerServer:
    """Serves until the service closes its end of `control`."""

    def __init__(self, control: socket.socket, entry: str, *, forks: bool) -> None:
        self._control = control
        self._channel = JsonChannel(control)
        self._entry = entry
        self._work = load(entry)
        self._forks = forks
        self._descriptors: deque[int] = deque()
        self._tickets: dict[int, int] = {}  # of the attempts that run, by process id
        self._until = math.inf
        self._fenced: set[int] = set()
        self._last_heartbeat = 0.0
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()

    def serve(self) -> None:
        """Starts attempts and reports how they end."""
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)  # so that the end of a child writes to the waker
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._channel.send({"ready": True})
        try:
            while self._receive():
                self._fence()
                self._send_heartbeat()
                ended = list(_reap())
                if ended:
                    kill_strays(self._tickets.keys() - {pid for pid, _ in ended})
                for pid, status in ended:
                    if pid in self._tickets:  # else it was started by an attempt
                        end = {"ended": self._tickets.pop(pid), "status": status, "fenced": pid in self._fenced}
                        self._fenced.discard(pid)
                        self._channel.send(end)
        finally:
            for pid in self._tickets:
                kill_session(pid)

    def _receive(self) -> bool:
        """Waits for messages and the end of attempts; False once the service is gone."""
        for key, _ in self._selector.select(LEASE_CHECK_SECONDS):
            if key.fileobj is self._woken:
                self._woken.recv(CHUNK)
                continue
            chunk, received, _, _ = socket.recv_fds(self._control, CHUNK, 64)
            if not chunk:
                return False
            for descriptor in received:
                os.set_inheritable(descriptor, False)
            self._descriptors.extend(received)
            for message in self._channel.feed(chunk):
                if "until" in message:
                    self._until = message["until"]
                else:
                    self._begin(message["run"], self._descriptors.popleft(), self._descriptors.popleft())
        return True

    def _send_heartbeat(self) -> None:
        if (now := time.monotonic()) - self._last_heartbeat >= BEAT:
            self._last_heartbeat = now
            with contextlib.suppress(BlockingIOError):  # the service does not read: the lease ends the attempts
                self._control.send(b'{"alive":true}\n', socket.MSG_DONTWAIT)

    def _fence(self) -> None:
        """Kills the attempts when their lease has expired."""
        if time.monotonic() > self._until:
            for pid in self._tickets.keys() - self._fenced:
                self._fenced.add(pid)
                os.kill(pid, signal.SIGKILL)

    def _begin(self, ticket: int, descriptor: int, output: int) -> None:
        try:
            # With a second thread a fork could deadlock the child.
            forks = self._forks and len(list(Path("/proc/self/task").iterdir())) == 1
            pid = self._fork(descriptor, output) if forks else self._spawn(descriptor, output)
        except OSError:  # too many processes, or no memory for another: the other attempts continue
            traceback.print_exc()
            self._channel.send({"ended": ticket, "status": NOT_STARTED, "fenced": False})
        else:
            self._tickets[pid] = ticket
            self._channel.send({"started": ticket, "pid": pid})
        finally:
            os.close(descriptor)
            os.close(output)

    def _fork(self, descriptor: int, output: int) -> int:
        parent = os.getpid()
        if pid := os.fork():
            return pid
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for ours in (self._control, self._woken, self._waker, self._selector):
                ours.close()
            for other in self._descriptors:
                os.close(other)
            os.setsid()
            die_with(parent)
            lower_priority()
            redirect_output(output)
            status = run(self._work, socket.socket(fileno=descriptor))
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _spawn(self, descriptor: int, output: int) -> int:
        passed = [str(descriptor), str(output)]
        for each in (descriptor, output):
            os.set_inheritable(each, True)
        command = interpreter.command("service.jobs.executors.local.trainer_server", "attempt", *passed, self._entry)
        return os.posix_spawn(sys.executable, command, os.environ, setsid=True)


def load(entry: str) -> Work:
    """The work, from its dotted name `package.module:function`."""
    module, _, name = entry.partition(":")
    work: Work = getattr(importlib.import_module(module), name)
    return work


def run(work: Work, stream: socket.socket) -> int:
    """Runs one attempt in this process; its exit status."""
    channel = JsonChannel(stream)
    return run_attempt(work, channel, partial(_read_job, channel))


def _read_job(channel: JsonChannel) -> dict[str, Any]:
    job: dict[str, Any] = orjson.loads(Path(channel.receive_one()["job"]).read_bytes())
    os.environ["TMPDIR"] = tempfile.tempdir = job["folder"]  # so that temporary files are removed with the attempt
    return job


def lower_priority() -> None:
    """Lets predictions go first; and lets the kernel kill a training, not the service, when memory runs out."""
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text("1000")


def redirect_output(output: int) -> None:
    """Redirects standard output and error to this descriptor."""
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)


def _reap() -> Iterator[tuple[int, int]]:
    """The children that have ended, each with its exit status; a negative one is the signal that killed it."""
    with contextlib.suppress(ChildProcessError):
        while (child := os.waitpid(-1, os.WNOHANG))[0]:
            yield child[0], os.waitstatus_to_exitcode(child[1])


def main(arguments: list[str]) -> int:
    """`fork|spawn DESCRIPTOR ENTRY PRELOAD…` serves; `attempt DESCRIPTOR OUTPUT ENTRY` is one spawned attempt."""
    for each in (signal.SIGINT, signal.SIGTERM):
        # A terminal sends Ctrl-C to the whole process group, and a supervisor perhaps SIGTERM: the service ends this process.
        signal.signal(each, signal.SIG_IGN)
    die_with(os.getppid())
    command, descriptor, *others = arguments
    os.set_inheritable(int(descriptor), False)
    stream = socket.socket(fileno=int(descriptor))
    if command == "attempt":
        output, entry = others
        lower_priority()
        redirect_output(int(output))
        return run(load(entry), stream)
    reap_for_all()
    entry, *preload = others
    with interpreter.quick_imports():
        for name in preload:
            importlib.import_module(name)
        server = TrainerServer(stream, entry, forks=command == "fork")
    server.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
