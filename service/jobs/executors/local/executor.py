"""Runs attempts as processes of this machine."""

import contextlib
import itertools
import logging
import selectors
import shutil
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from service.jobs.executors.executor import AttemptHandle, Executor, Exit, Usage
from service.jobs.executors.local.json_channel import MOST_CHUNKS
from service.jobs.executors.local.output import Output
from service.jobs.executors.local.process_tree import files, memory
from service.jobs.executors.local.server_process import TrainerServerProcess
from service.liveness import HUNG_AFTER

SEND_SECONDS = 5  # for which a message to an attempt may wait until the attempt reads
RESTART_SECONDS = 1.0  # before a trainer server that ended is started again
MOST_RESTART_SECONDS = 60.0  # the same after it has ended several times without having been ready

log = logging.getLogger(__name__)


class LocalAttempt(AttemptHandle):
    """An attempt in a process of this machine, with a folder for its temporary files."""

    def __init__(
        self, server: TrainerServerProcess, ticket: int, selector: selectors.BaseSelector, folder: Path, job_id: str
    ) -> None:
        self._server, self._ticket, self._selector, self._folder = server, ticket, selector, folder
        self._channel, descriptor = server.start_attempt(ticket, folder / "job.json")
        self._channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
        self._output = Output(descriptor, job_id)
        self._open = True  # whether the socket is read
        self._closed = False
        selector.register(self._channel.socket, selectors.EVENT_READ, lambda: [self])
        selector.register(descriptor, selectors.EVENT_READ, partial(_read_output, selector, self._output))

    def receive(self) -> list[dict[str, Any]]:
        """Reads the socket: one chunk; all that it holds when the attempt has ended, and no more, since a process that the
        attempt has started may still have the other end open."""
        if not self._open:
            return []
        messages = self._channel.receive_now(1 if self.exit is None else MOST_CHUNKS)
        if messages is None or self.exit is not None:
            self._open = False
            self._selector.unregister(self._channel.socket)
        return messages or []

    def ask_to_leave(self) -> None:
        self._send({"leave": True})

    def answer(self, answer: dict[str, Any]) -> None:
        self._send(answer)

    def local_file(self, name: str) -> Path:
        return self._folder / name

    def kill(self) -> None:
        self._server.kill(self._ticket)  # and the trainer server kills what it has started

    def usage(self) -> Usage | None:
        pid = self._server.pids.get(self._ticket)
        if pid is None:
            return None
        free = float("inf")
        with contextlib.suppress(OSError):  # the attempt has just ended
            free = shutil.disk_usage(self._folder).free
        return Usage(memory(pid), free)

    def temporary_bytes(self) -> int:
        return files(self._folder, self._server.pids.get(self._ticket))

    def close(self) -> None:
        if self._closed:
            return
        self._open, self._closed = False, True
        for each in (self._channel.socket, self._output.descriptor):
            with contextlib.suppress(KeyError):  # it was at its end
                self._selector.unregister(each)
        self._channel.close()
        self._output.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._channel.send(message)
        except BlockingIOError:
            log.error("an attempt that does not read its messages is killed")
            self.kill()
        except OSError:
            pass  # it has ended, which `exit` will say


class LocalExecutor(Executor):
    """Attempts that are forked from a trainer server, which is started again when it ends or hangs.

    Args:
        entry: dotted name `package.module:function` of the work; loaded by the trainer server, never here.
        preload: modules that the trainer server loads beforehand.
        temporary: the folder for temporary files.
        checkpoints: where each job has a folder for its checkpoints until it has ended.
        settings: what `Attempt.job` shall hold in every attempt, besides its job.
        forks: whether attempts are forked; only safe on Linux. Otherwise each is a new interpreter.
        restart_seconds: before a trainer server that ended is started again.
        hung_after: seconds without a heartbeat after which the trainer server counts as hung.
    """

    def __init__(
        self,
        *,
        entry: str,
        preload: list[str],
        temporary: Path,
        checkpoints: Path,
        settings: dict[str, Any],
        forks: bool = sys.platform == "linux",
        restart_seconds: float = RESTART_SECONDS,
        hung_after: float = HUNG_AFTER,
    ) -> None:
        self._start_server = partial(
            TrainerServerProcess, entry, preload, temporary, forks=forks, hung_after=hung_after
        )
        self._temporary = temporary
        self._checkpoints = checkpoints
        self._settings = settings
        self._restart_seconds = self._patience = restart_seconds
        self._restart_at = 0.0
        self._server: TrainerServerProcess | None = None
        self._attempts: dict[int, LocalAttempt] = {}  # those that have not ended, by ticket
        self._tickets = itertools.count(1)
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()

    @property
    def ready(self) -> bool:
        """Whether the trainer server has loaded what it needs."""
        server = self._server  # read once: another thread may set it to None
        return server is not None and server.ready

    @property
    def pid(self) -> int | None:
        """The trainer server's process id, while there is one."""
        server = self._server
        return None if server is None else server.pid

    def start(self) -> None:
        """Starts the trainer server. It dies with the thread that calls this."""
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._read_waker)
        self._launch_server()

    def start_attempt(self, job: dict[str, Any]) -> LocalAttempt:
        assert self._server is not None  # noqa: S101 - ready says so
        ticket, folder = next(self._tickets), self._folder(job["id"], job["attempt"])
        folders = {"folder": str(folder), "checkpoints": str(self._checkpoints / job["id"])}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "job.json").write_bytes(orjson.dumps(self._settings | job | folders))
            attempt = LocalAttempt(self._server, ticket, self._selector, folder, job["id"])
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._attempts[ticket] = attempt
        return attempt

    def wait(self, seconds: float) -> list[AttemptHandle]:
        found: dict[AttemptHandle, None] = dict.fromkeys(self._supervise())
        for key, _ in self._selector.select(0 if found else seconds):
            if self._selector.get_map().get(key.fd) is key:  # an earlier one may have closed it
                read: Callable[[], Iterable[AttemptHandle]] = key.data
                found |= dict.fromkeys(read())
        return list(found)

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # it is full, or closed
            self._waker.send(b"!")

    def extend_lease(self, until: float) -> None:
        server = self._server
        if server is not None:
            with contextlib.suppress(OSError):  # it has ended, which `wait` will find
                server.extend_lease(until)

    def abandon(self, job_id: str, attempt: int) -> None:
        shutil.rmtree(self._folder(job_id, attempt), ignore_errors=True)

    def discard_checkpoints(self, job_id: str) -> None:
        shutil.rmtree(self._checkpoints / job_id, ignore_errors=True)

    def close(self) -> None:
        if self._server is not None:
            self._lose_server()
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def _folder(self, job_id: str, attempt: int) -> Path:
        return self._temporary / "attempts" / f"{job_id}-{attempt}"

    # What `wait` reads

    def _read_waker(self) -> Iterable[AttemptHandle]:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        return ()

    def _read_server(self) -> Iterable[AttemptHandle]:
        assert self._server is not None  # noqa: S101 - its socket is readable
        ended = self._server.receive()
        if ended is None:
            return self._replace_server()
        for ticket, exit_ in ended:
            self._attempts[ticket].exit = exit_
        return [self._attempts.pop(ticket) for ticket, _ in ended]

    # The trainer server

    def _supervise(self) -> Iterable[AttemptHandle]:
        """Replaces a trainer server that hangs, and starts one where there is none."""
        if self._server is not None and self._server.is_hung():
            log.error("the trainer server hangs and is replaced")
            return self._replace_server()
        if self._server is None and time.monotonic() >= self._restart_at:
            self._restart_at = time.monotonic() + self._patience
            self._launch_server()
        return ()

    def _launch_server(self) -> None:
        server = self._server = self._start_server()
        self._selector.register(server.channel.socket, selectors.EVENT_READ, self._read_server)
        read = partial(_read_output, self._selector, server.output)
        self._selector.register(server.output.descriptor, selectors.EVENT_READ, read)

    def _replace_server(self) -> list[AttemptHandle]:
        """Gives up a trainer server that has ended or hangs; the attempts that ended with it."""
        was_ready, ended = self.ready, list(self._attempts.values())
        status = self._lose_server()
        for attempt in ended:
            attempt.exit = Exit("lost", "signal 9")
        self._attempts.clear()
        # One that cannot load, perhaps for want of memory, is started less and less often.
        self._patience = self._restart_seconds if was_ready else min(2 * self._patience, MOST_RESTART_SECONDS)
        self._restart_at = time.monotonic() + self._patience
        log.error("the trainer server ended (status %d); a new one is started in %.0f s", status, self._patience)
        return [*ended]

    def _lose_server(self) -> int:
        assert self._server is not None  # noqa: S101 - who calls this has looked
        server, self._server = self._server, None
        for each in (server.channel.socket, server.output.descriptor):
            with contextlib.suppress(KeyError):  # its output may have ended before
                self._selector.unregister(each)
        return server.close()


def _read_output(selector: selectors.BaseSelector, output: Output) -> Iterable[AttemptHandle]:
    if not output.read():
        selector.unregister(output.descriptor)
    return ()
