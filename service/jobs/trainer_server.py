"""The trainer server: a small process that has loaded what every training needs, and forks a child for each attempt.

It talks JSON lines over the socket it was started with. `{"run": ticket}` comes with the descriptor of the attempt's
own socket and of the pipe for its output; it answers `{"ready": true}` once, `{"started": ticket, "pid": …}` and
`{"ended": ticket, "status": …}`. `{"until": moment}` says how long the attempts may live, by the monotonic clock: if
the service cannot say so again in time, perhaps because it stands still, another may take its jobs over. It says
`{"alive": true}` once a second: one that has stood still for long is replaced.
Where fork is not safe (macOS, or a library that has started a thread) each attempt is a freshly started interpreter
instead: slower, the same otherwise.
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
from pathlib import Path

import orjson

from service import interpreter
from service.jobs.attempt import Attempt, Work
from service.jobs.errors import AttemptFailed, AttemptLeft, AttemptPutOff, AttemptSuperseded
from service.jobs.json_channel import CHUNK, Lines
from service.jobs.process_tree import kill_session, kill_strays, reap_for_all
from service.liveness import BEAT, die_with

NICENESS = 19  # trainings give way to predictions as far as they can
NOT_STARTED = 71  # the exit status of an attempt that found no room for a process: EX_OSERR
FENCED = 75  # the status told of an attempt that was ended because nobody said that it may live: EX_TEMPFAIL
LOOK = 0.5  # seconds between looks at whether the attempts may live


class TrainerServer:
    """Serves until the service closes its end of `control`."""

    def __init__(self, control: socket.socket, entry: str, *, forks: bool) -> None:
        self._control = control
        self._lines = Lines(control)
        self._entry = entry
        self._work = load(entry)
        self._forks = forks
        self._descriptors: deque[int] = deque()
        self._tickets: dict[int, int] = {}
        self._until = math.inf
        self._fenced: set[int] = set()
        self._told_alive = 0.0
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()

    def serve(self) -> None:
        """Starts attempts and tells how they end."""
        self._wake_on_child_exit()
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._lines.send({"ready": True})
        try:
            while self._hear():
                self._fence()
                self._tell_alive()
                ended = _reap()
                if ended:
                    kill_strays(self._tickets.keys() - {pid for pid, _ in ended})
                for pid, status in ended:
                    if pid in self._tickets:  # else it was left over from one
                        told = FENCED if pid in self._fenced else status
                        self._fenced.discard(pid)
                        self._lines.send({"ended": self._tickets.pop(pid), "status": told})
        finally:
            for pid in self._tickets:
                kill_session(pid)

    def _hear(self) -> bool:
        """Waits for something to do and does it; False once there is nobody to do it for."""
        for key, _ in self._selector.select(LOOK):
            if key.fileobj is self._woken:
                self._woken.recv(CHUNK)
                continue
            chunk, received, _, _ = socket.recv_fds(self._control, CHUNK, 64)
            if not chunk:
                return False
            for descriptor in received:
                os.set_inheritable(descriptor, False)
            self._descriptors.extend(received)
            for message in self._lines.feed(chunk):
                if "until" in message:
                    self._until = message["until"]
                else:
                    self._begin(message["run"], self._descriptors.popleft(), self._descriptors.popleft())
        return True

    def _tell_alive(self) -> None:
        if (now := time.monotonic()) - self._told_alive >= BEAT:
            self._told_alive = now
            with contextlib.suppress(BlockingIOError):  # nobody reads: the attempts are fenced all the same
                self._control.send(b'{"alive":true}\n', socket.MSG_DONTWAIT)

    def _fence(self) -> None:
        """Ends the attempts when the time that they were given is over."""
        if time.monotonic() > self._until:
            for pid in self._tickets.keys() - self._fenced:
                self._fenced.add(pid)
                os.kill(pid, signal.SIGKILL)

    def _begin(self, ticket: int, descriptor: int, output: int) -> None:
        try:
            forks = self._forks and threads() == 1
            pid = self._fork(descriptor, output) if forks else self._spawn(descriptor, output)
        except OSError:  # no room for a process: this attempt cannot be, all others go on
            traceback.print_exc()
            self._lines.send({"ended": ticket, "status": NOT_STARTED})
        else:
            self._tickets[pid] = ticket
            self._lines.send({"started": ticket, "pid": pid})
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
            give_way()
            print_to(output)
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
        command = interpreter.command("service.jobs.trainer_server", "attempt", *passed, self._entry)
        return os.posix_spawn(sys.executable, command, os.environ, setsid=True)

    def _wake_on_child_exit(self) -> None:
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)


def load(entry: str) -> Work:
    """The work, from its dotted name `package.module:function`."""
    module, _, name = entry.partition(":")
    work: Work = getattr(importlib.import_module(module), name)
    return work


def run(work: Work, stream: socket.socket) -> int:
    """One attempt, in its own process: reads the job, works, and tells how it went. Returns the exit status."""
    lines = Lines(stream)
    try:
        attempt = Attempt(lines, orjson.loads(Path(lines.one()["job"]).read_bytes()))
        # So that temporary files go with the attempt, too.
        os.environ["TMPDIR"] = tempfile.tempdir = attempt.job["folder"]
        try:
            answer: dict[str, object] = {"result": work(attempt)}
        except AttemptFailed as error:
            answer = {"error": {"code": error.code, "detail": error.detail}}
        except AttemptPutOff as error:
            reason = {"code": error.code, "detail": error.detail}
            answer = {"put_off": reason, "unpublished": error.unpublished}
        except AttemptLeft:
            answer = {"left": True}
        attempt.stage(None)
        attempt.flush()
        lines.send(answer)
    except (AttemptSuperseded, BrokenPipeError, EOFError):
        return 1  # nobody waits for this attempt any more
    except Exception:
        traceback.print_exc()
        with contextlib.suppress(OSError):
            lines.send({"error": {"code": "crashed", "detail": "the training stopped at an error of the software"}})
        return 1
    return 0


def give_way() -> None:
    """Predictions go before trainings; and when memory runs out, the system shall take a training and not the service."""
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text("1000")


def print_to(output: int) -> None:
    """Lets all that this process prints go there."""
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)


def threads() -> int:
    """How many threads this process has; more than one and a fork could deadlock its child."""
    return len(list(Path("/proc/self/task").iterdir()))


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
    """`fork|spawn DESCRIPTOR ENTRY PRELOAD…` serves; `attempt DESCRIPTOR OUTPUT ENTRY` is one spawned attempt."""
    for each in (signal.SIGINT, signal.SIGTERM):
        # A terminal's Ctrl-C reaches the whole group, a supervisor's SIGTERM perhaps too: the service decides.
        signal.signal(each, signal.SIG_IGN)
    die_with(os.getppid())
    command, descriptor, *others = arguments
    os.set_inheritable(int(descriptor), False)
    stream = socket.socket(fileno=int(descriptor))
    if command == "attempt":
        output, entry = others
        give_way()
        print_to(int(output))
        return run(load(entry), stream)
    reap_for_all()
    entry, *preload = others
    for name in preload:
        importlib.import_module(name)
    TrainerServer(stream, entry, forks=command == "fork").serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
