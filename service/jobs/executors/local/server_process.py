"""The service's side of the trainer server: starts its process, requests attempts, reads how they end."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from service import interpreter
from service.jobs.executors.executor import Exit
from service.jobs.executors.local.json_channel import JsonChannel
from service.jobs.executors.local.output import Output
from service.jobs.executors.local.process_tree import kill_session
from service.liveness import Liveness

# The variables of the service's environment that a trainer gets: none that could hold a secret.
PASSED_ON = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH"}
PASSED_ON |= {"CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}


class TrainerServerProcess:
    """One trainer server and the attempts that it has started, each known by a number, its ticket.

    Args:
        entry: dotted name `package.module:function` of the work.
        preload: modules that the trainer server loads beforehand.
        temporary: the folder of its temporary files.
        forks: whether each attempt is forked, or a new interpreter where that is not safe.
        hung_after: seconds without a heartbeat after which it counts as hung.
    """

    def __init__(self, entry: str, preload: list[str], temporary: Path, *, forks: bool, hung_after: float) -> None:
        temporary.mkdir(parents=True, exist_ok=True)  # the only writable place when the root is read-only
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= interpreter.import_path()
        # One OpenBLAS thread: a pool of them would make forking unsafe.
        environment |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "TMPDIR": str(temporary)}
        module = "service.jobs.executors.local.trainer_server"
        command = interpreter.command(module, "fork" if forks else "spawn")
        with _connection() as (self.channel, output, theirs, writing):
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*command, str(theirs.fileno()), entry, *preload],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
            )
        self._sending = threading.Lock()  # one thread requests attempts, another extends their lease
        self.output = Output(output)
        self.pids: dict[int, int] = {}  # of the attempts that run, by ticket
        self._unwanted: set[int] = set()
        self.ready = False
        self._liveness = Liveness(hung_after=hung_after)

    def start_attempt(self, ticket: int, job: Path) -> tuple[JsonChannel, int]:
        """Requests an attempt at the job in this file; our end of its channel, and of the pipe that its output comes from.

        Raises:
            OSError: the trainer server is gone, or has no room for another.
        """
        with _connection() as (channel, output, theirs, writing):
            # A path, never the job itself: sending a long line would block until it is read.
            channel.send({"job": str(job)})
            with self._sending:
                socket.send_fds(self.channel.socket, [b'{"run":%d}\n' % ticket], [theirs.fileno(), writing])
        return channel, output

    def extend_lease(self, until: float) -> None:
        """Lets the attempts run until then. From any thread.

        Raises:
            OSError: the trainer server is gone.
        """
        with self._sending:
            self.channel.send({"until": until})

    def receive(self) -> list[tuple[int, Exit]] | None:
        """The attempts that have ended, by ticket; None when the trainer server itself is gone."""
        messages = self.channel.receive()
        if messages is None:
            return None
        self._liveness.received()
        ended = []
        for message in messages:
            if "ready" in message:
                self.ready = True
            elif "started" in message:
                self.pids[message["started"]] = message["pid"]
            elif "ended" in message:
                self.pids.pop(message["ended"], None)
                status = message["status"]
                detail = f"signal {-status}" if status < 0 else f"exit status {status}"
                ended.append((message["ended"], Exit("fenced" if message["fenced"] else "exited", detail)))
        for ticket in self._unwanted & self.pids.keys():
            self.kill(ticket)
        return ended

    def kill(self, ticket: int) -> None:
        """Ends an attempt at once; one whose process is not known yet, as soon as it is."""
        pid = self.pids.get(ticket)
        if pid is None:
            self._unwanted.add(ticket)
            return
        self._unwanted.discard(ticket)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def is_hung(self) -> bool:
        """Whether its heartbeats have stopped. While it loads it sends none; those that were not read yet count."""
        hung = self._liveness.is_hung()
        return hung and self.ready and not select.select([self.channel.socket], [], [], 0)[0]

    @property
    def pid(self) -> int:
        """The trainer server's process id."""
        return self._process.pid

    def close(self) -> int:
        """Ends the trainer server, and with it every attempt; its exit status."""
        self._process.kill()
        for pid in self.pids.values():  # on Linux they die with it, but not what they have started
            kill_session(pid)
        self.pids.clear()
        self.channel.close()
        status = self._process.wait()
        self.output.close()
        return status


@contextlib.contextmanager
def _connection() -> Iterator[tuple[JsonChannel, int, socket.socket, int]]:
    """Our ends of a channel and of a pipe for output, and theirs, which are closed at the end; after an error all are."""
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        channel, other = socket.socketpair()
        ours.callback(channel.close)
        theirs.callback(other.close)
        reading, writing = os.pipe()
        ours.callback(os.close, reading)
        theirs.callback(os.close, writing)
        yield JsonChannel(channel), reading, other, writing
        ours.pop_all()
