"""The service's end of the trainer server: starts it, asks it for attempts, hears how they end."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from service.jobs.lines import Lines

# What a trainer may know of the service's environment: nothing that could be a secret.
PASSED_ON = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH"}
PASSED_ON |= {"CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}


class Trainers:
    """One trainer server process and the attempts it has forked."""

    def __init__(self, entry: str, preload: list[str], temporary: Path) -> None:
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        # One OpenBLAS thread: its pool would otherwise stand in the way of forking.
        environment |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "TMPDIR": str(temporary)}
        command = [sys.executable, "-m", "service.jobs.trainer_server", "serve", str(theirs.fileno()), entry, *preload]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        self.lines = Lines(ours)
        self._tickets = itertools.count(1)
        self._pids: dict[int, int] = {}
        self.ready = False

    def start_attempt(self) -> tuple[int, Lines]:
        """Asks for a child: its ticket, and our end of its socket.

        Raises:
            OSError: the trainer server is gone.
        """
        ticket = next(self._tickets)
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.lines.socket, [b'{"run":%d}\n' % ticket], [theirs.fileno()])
        return ticket, Lines(ours)

    def hear(self) -> list[tuple[int, int]] | None:
        """The attempts that have ended, each with its exit status; None when the trainer server itself is gone."""
        messages = self.lines.receive()
        if messages is None:
            return None
        ended = []
        for message in messages:
            if "ready" in message:
                self.ready = True
            elif "started" in message:
                self._pids[message["started"]] = message["pid"]
            else:
                self._pids.pop(message["ended"], None)
                ended.append((message["ended"], message["status"]))
        return ended

    def kill(self, ticket: int) -> bool:
        """Ends an attempt at once. False while it is not known to have started."""
        pid = self._pids.get(ticket)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    @property
    def pid(self) -> int:
        """The trainer server's process id."""
        return self._process.pid

    def close(self) -> None:
        """Ends the trainer server, and with it every attempt (each dies with its parent)."""
        self._process.kill()
        self._process.wait()
        for pid in self._pids.values():  # where no kernel ends them with their parent
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.lines.close()
