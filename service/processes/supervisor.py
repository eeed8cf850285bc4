"""The supervisor of a service with several processes: it opens the sockets, starts the processes, restarts those that die or
hang, and forwards their messages. It loads neither torch nor FastAPI, and does nothing else that could fail.

One process runs the trainings, the others answer requests; they share the home, the journal and the sockets. On Linux they
die with the supervisor.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from service import interpreter
from service.background.channel import LONGEST_LINE, line_of
from service.http_server.sockets import address_of, open_listeners, reject_new_connections
from service.settings import Settings, forget_secrets, take_secrets
from service.telemetry.totals import MetricFamily, only_summed, total

RESTART_SECONDS = 0.5  # before a process that died is restarted; doubled each time that it dies early
MAX_RESTART_SECONDS = 60.0
STEADY_SECONDS = 10.0  # a process that lived longer has not died early
MAX_STOP_SECONDS = 27.0  # after which processes that still run are killed
MAX_UNREAD = 1 << 20  # bytes that are buffered for a process; past them it gets no messages
POLL_SECONDS = 3.0  # between two requests for its metrics to each process, which show that it still responds
MAX_UNANSWERED = 5  # requests without response after which a process counts as hanging and is killed
MAX_REPORT_SECONDS = 1.0  # for a process to report its metrics; after that its last report is used

log = logging.getLogger(__name__)


@dataclass
class Process:
    """A process under supervision, from its start to its end."""

    name: str
    child: asyncio.subprocess.Process
    writer: asyncio.StreamWriter
    ready: bool = False
    metrics: list[MetricFamily] = field(default_factory=list)  # its last report
    unanswered: int = 0  # requests since its last message

    def send(self, line: bytes) -> None:
        """Sends a message, unless the process has not read for long."""
        if not self.writer.is_closing() and self.writer.transport.get_write_buffer_size() < MAX_UNREAD:
            self.writer.write(line)


def supervise(settings: Settings, running: Callable[[str], object] | None = None) -> None:
    """Serves with `settings.workers` worker processes until SIGTERM or SIGINT, and exits.

    Args:
        settings: of the service.
        running: called with each address that it listens on, once it accepts connections.

    Raises:
        OSError: the address cannot be listened on; nothing was started.
    """
    listeners = open_listeners(settings.host, settings.port)
    environment = os.environ | {  # options of the command line
        "MODELWRIGHT_HOME": str(settings.home.absolute()),
        "MODELWRIGHT_HOST": settings.host,
        "MODELWRIGHT_INSECURE": str(settings.insecure),
        "MODELWRIGHT_LOG_FORMAT": settings.log_format or "",
    }
    # Not by the environment, which other processes of the same user can read until the process has forbidden it.
    secrets = take_secrets(environment)
    forget_secrets()
    status = asyncio.run(Supervisor(settings, listeners, environment, secrets, running).serve())
    sys.exit(status)


class Supervisor:
    """Runs the processes; see the module's docstring."""

    def __init__(
        self,
        settings: Settings,
        listeners: list[socket.socket],
        environment: dict[str, str],
        secrets: dict[str, str],
        running: Callable[[str], object] | None,
    ) -> None:
        self._running = running
        self._delay = settings.stop_delay_seconds
        self._answering = [f"worker-{number}" for number in range(1, settings.workers + 1)]
        self._listeners = listeners
        self._environment = environment
        self._secrets = line_of("secrets", secrets)
        self._processes: dict[str, Process] = {}
        self._ready = {name: asyncio.Event() for name in ("trainings", *self._answering)}  # set at the first start
        self._stop = asyncio.Event()
        self._failed = False
        self._metrics_of_ended: list[MetricFamily] = []  # of the processes that have ended
        self._requests: list[tuple[Process, int]] = []
        self._awaited: set[str] = set()
        self._all_reported = asyncio.Event()
        self._collecting: asyncio.Task[None] | None = None

    async def serve(self) -> int:
        """Runs all processes until a signal.

        Returns:
            The exit status.
        """
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._on_signal)
        keeping = [asyncio.create_task(self._keep_running("trainings", "train"))]
        await self._ready["trainings"].wait()  # first and alone: it migrates the journal
        descriptors = [listener.fileno() for listener in self._listeners]
        keeping += [asyncio.create_task(self._keep_running(name, "answer", descriptors)) for name in self._answering]
        for name in self._answering:
            await self._ready[name].wait()
        if not self._stop.is_set():
            for listener in self._listeners:
                log.info("%d workers running on %s (Ctrl-C stops)", len(self._answering), address_of(listener))
                if self._running is not None:
                    self._running(address_of(listener))
        await self._kill_hanging()
        await self._shut_down()
        _, unstopped = await asyncio.wait(keeping, timeout=MAX_STOP_SECONDS)
        for process in self._processes.values():
            log.error("%s does not stop and is killed", process.name)
            process.child.kill()
        if unstopped:
            await asyncio.wait(unstopped)
            self._failed = True
        return int(self._failed)

    def _on_signal(self) -> None:
        if self._stop.is_set():  # the second signal: stop without waiting for requests
            for process in self._processes.values():
                process.child.send_signal(signal.SIGINT)
        self._start_stopping()

    def _start_stopping(self) -> None:
        self._stop.set()
        for ready in self._ready.values():
            ready.set()  # ends all waiting for them

    async def _shut_down(self) -> None:
        """Announces the stop, so that load balancers notice; then closes the sockets and ends the processes."""
        self._broadcast(line_of("stop"))
        if not self._failed:
            await asyncio.sleep(self._delay)
        reject_new_connections(self._listeners)
        for process in self._processes.values():
            process.child.terminate()
        for listener in self._listeners:
            listener.close()

    async def _keep_running(self, name: str, role: str, descriptors: list[int] | None = None) -> None:
        """Starts a process, and restarts it whenever it dies."""
        delay = RESTART_SECONDS
        while not self._stop.is_set():
            began = time.monotonic()
            status = await self._run(name, role, descriptors or [])
            if self._stop.is_set():
                self._failed |= status not in (0, -signal.SIGTERM)  # SIGTERM if it had hardly started
                return
            if not self._ready[name].is_set():  # it has never worked; restarting would not help
                log.error("%s did not start (status %d)", name, status)
                self._failed = True
                self._start_stopping()
                return
            if time.monotonic() - began > STEADY_SECONDS:
                delay = RESTART_SECONDS
            log.error("%s ended (status %d); a new one is started in %.1f s", name, status, delay)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), delay)
            delay = min(2 * delay, MAX_RESTART_SECONDS)

    async def _run(self, name: str, role: str, descriptors: list[int]) -> int:
        """Runs a process once; its exit status."""
        ours, theirs = socket.socketpair()
        with theirs:
            passed = [theirs.fileno(), *descriptors]
            try:
                child = await asyncio.create_subprocess_exec(
                    *interpreter.command("service.processes.worker", role, *map(str, passed)),
                    env=self._environment | interpreter.import_path(),
                    pass_fds=passed,
                    stdin=asyncio.subprocess.DEVNULL,
                    process_group=0,  # Ctrl-C in a terminal is for the supervisor only
                )
            except OSError as error:
                ours.close()
                log.error("%s: %s", name, error)
                return os.EX_OSERR
        reader, writer = await asyncio.open_connection(sock=ours, limit=LONGEST_LINE)
        process = self._processes[name] = Process(name, child, writer)
        writer.write(self._secrets)
        if self._stop.is_set():  # meanwhile
            child.terminate()
        await self._read_messages(process, reader)
        status = await child.wait()
        self._remove(process)
        return status

    async def _kill_hanging(self) -> None:
        """Kills processes that hang, until the stop. Requests are counted, not seconds, in case the machine was suspended."""
        while not self._stop.is_set():
            for process in self._processes.values():
                if process.unanswered >= MAX_UNANSWERED:
                    log.error("%s hangs and is killed", process.name)
                    process.child.kill()
                elif process.ready:
                    process.unanswered += 1
                    process.send(line_of("get_metrics"))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), POLL_SECONDS)

    def _remove(self, process: Process) -> None:
        process.writer.close()
        del self._processes[process.name]
        self._metrics_of_ended = total({process.name: only_summed(process.metrics)}, self._metrics_of_ended)
        self._reported(process.name)

    async def _read_messages(self, process: Process, reader: asyncio.StreamReader) -> None:
        """Handles the messages of a process until it ends."""
        with suppress(ConnectionError):
            while line := await reader.readline():
                process.unanswered = 0
                kind, value = json.loads(line)
                if kind == "ready":
                    process.ready = True
                    self._ready[process.name].set()
                elif kind == "get_total":
                    self._request_metrics(process, value)
                elif kind == "metrics":
                    process.metrics = value
                    self._reported(process.name)
                else:
                    self._broadcast(line, but=process)

    def _broadcast(self, line: bytes, but: Process | None = None) -> None:
        for process in self._processes.values():
            if process is not but and process.ready:
                process.send(line)

    def _request_metrics(self, process: Process, number: int) -> None:
        self._requests.append((process, number))
        if self._collecting is None:
            self._collecting = asyncio.create_task(self._collect_metrics())

    async def _collect_metrics(self) -> None:
        """Answers requests for the metrics of all processes together; ended ones are included, so that no counter decreases."""
        while self._requests:
            requests, self._requests = self._requests, []
            self._awaited = {process.name for process in self._processes.values() if process.ready}
            self._all_reported.clear()
            self._broadcast(line_of("get_metrics"))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_reported.wait(), MAX_REPORT_SECONDS)
            counted = total(
                {process.name: process.metrics for process in self._processes.values()}, self._metrics_of_ended
            )
            for process, number in requests:
                process.send(line_of("total", [number, counted]))
        self._collecting = None

    def _reported(self, name: str) -> None:
        self._awaited.discard(name)
        if not self._awaited:
            self._all_reported.set()
