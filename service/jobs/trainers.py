"""The service's end of the trainer server: starts it, asks it for attempts, hears how they end."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
from pathlib import Path

from service import interpreter
from service.jobs.json_channel import Lines
from service.jobs.output import Output
from service.jobs.process_tree import kill_session
from service.liveness import Liveness

# What a trainer may know of the service's environment: nothing that could be a secret.
PASSED_ON = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH"}
PASSED_ON |= {"CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}


class Trainers:
    """One trainer server process and the attempts it has started.

    Args:
        entry: dotted name `package.module:function` of the work.
        preload: modules that the trainer server loads beforehand.
        temporary: the folder of its temporary files.
        forks: whether each attempt is forked, or started anew where that is not safe.
    """

    def __init__(self, entry: str, preload: list[str], temporary: Path, *, forks: bool) -> None:
        temporary.mkdir(parents=True, exist_ok=True)  # the only place to write in when the root is read-only
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        # One OpenBLAS thread: its pool would otherwise stand in the way of forking.
        environment |= interpreter.import_path()
        environment |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "TMPDIR": str(temporary)}
        command = interpreter.command("service.jobs.trainer_server", "fork" if forks else "spawn")
        ours, theirs = socket.socketpair()
        descriptor = theirs.fileno()
        reading, writing = os.pipe()
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [*command, str(descriptor), entry, *preload],
                    env=environment,
                    pass_fds=[descriptor],
                    stdin=subprocess.DEVNULL,
                    stdout=writing,
                    stderr=writing,
                )
        except BaseException:
            ours.close()
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self.lines = Lines(ours)
        self._sending = threading.Lock()  # one thread asks for attempts, another tells how long they may live
        self.output = Output(reading)
        self.pids: dict[int, int] = {}
        self._unwanted: set[int] = set()
        self.ready = False
        self._liveness = Liveness()

    def start_attempt(self, ticket: int, job: Path) -> tuple[Lines, int]:
        """Asks for an attempt at the job in this file, under a number of its own; our end of its socket, and the end of
        the pipe that its output comes from.

        Raises:
            OSError: the trainer server is gone, or has no room for another.
        """
        ours, theirs = socket.socketpair()
        lines = Lines(ours)
        reading, writing = os.pipe()
        try:
            with theirs:
                # A path, never the job itself: a long line would keep us waiting for somebody to read it.
                lines.send({"job": str(job)})
                with self._sending:
                    socket.send_fds(self.lines.socket, [b'{"run":%d}\n' % ticket], [theirs.fileno(), writing])
        except BaseException:
            lines.close()
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return lines, reading

    def live_until(self, moment: float) -> None:
        """The attempts may go on until then, by the monotonic clock; if nothing else is heard, they end. From any thread.

        Raises:
            OSError: the trainer server is gone.
        """
        with self._sending:
            self.lines.send({"until": moment})

    def hear(self) -> list[tuple[int, int]] | None:
        """The attempts that have ended, each with its exit status; None when the trainer server itself is gone."""
        messages = self.lines.receive()
        if messages is None:
            return None
        self._liveness.heard()
        ended = []
        for message in messages:
            if "alive" in message:
                continue
            if "ready" in message:
                self.ready = True
            elif "started" in message:
                self.pids[message["started"]] = message["pid"]
            else:
                self.pids.pop(message["ended"], None)
                ended.append((message["ended"], message["status"]))
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

    def stands_still(self) -> bool:
        """Whether it has sent no heartbeat for long, although it should. While it loads nothing is expected of it; and what
        nobody has read yet was said."""
        still = self._liveness.stands_still()
        return still and self.ready and not select.select([self.lines.socket], [], [], 0)[0]

    @property
    def pid(self) -> int:
        """The trainer server's process id."""
        return self._process.pid

    def close(self) -> int:
        """Ends the trainer server, and with it every attempt; its exit status."""
        self._process.kill()
        for pid in self.pids.values():  # on Linux they die with it, but not what they have started
            kill_session(pid)
        self.lines.close()
        status = self._process.wait()
        self.output.close()
        return status
