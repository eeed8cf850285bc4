"""The supervisor of a service of several processes: opens the sockets, starts the processes, starts anew what dies or hangs,
and passes on what they say to each other. It loads neither torch nor the framework, and does nothing else that could fail.

One process trains, the others answer; all share the home, the journal and the sockets. On Linux they die with it.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field

from service import interpreter
from service.background.channel import LONGEST_LINE, line_of
from service.http_server.sockets import address_of, open_listeners, take_no_more
from service.settings import SECRETS, Settings, forget_secrets, variable_of
from service.telemetry import logs
from service.telemetry.totals import MetricFamily, only_summed, total

PATIENCE = 0.5  # seconds before a process that died is started again; twice as many each time that it dies early
MOST_PATIENCE = 60.0
STEADY = 10.0  # seconds after which a process has not died early
MOST_SECONDS_TO_STOP = 27.0  # after which what still runs is killed
MOST_UNREAD = 1 << 20  # bytes that wait for a process; one that reads no hints gets none
BETWEEN_QUESTIONS = 3.0  # seconds; each process is asked what it has counted, to see that it still answers
MOST_UNANSWERED = 5  # questions; after that a process hangs, and is killed
MOST_SECONDS_TO_TELL = 1.0  # for a process to say what it has counted; then what it said before counts

log = logging.getLogger(__name__)


@dataclass
class Process:
    """A process under supervision, from its start to its end."""

    name: str
    child: asyncio.subprocess.Process
    writer: asyncio.StreamWriter
    ready: bool = False
    figures: list[MetricFamily] = field(default_factory=list)  # what it has counted, as it last said
    unanswered: int = 0  # questions since it last said anything

    def send(self, line: bytes) -> None:
        """Lets it know, unless it has not read for long."""
        if not self.writer.is_closing() and self.writer.transport.get_write_buffer_size() < MOST_UNREAD:
            self.writer.write(line)


def supervise(settings: Settings) -> None:
    """Serves with `settings.workers` processes that answer, until SIGTERM or SIGINT.

    Raises:
        OSError: it cannot listen there; nothing was started.
    """
    logs.configure(settings.log_level)
    listeners = open_listeners(settings.host, settings.port)
    environment = os.environ | {  # what the command line may have said
        "MODELWRIGHT_HOME": str(settings.home.absolute()),
        "MODELWRIGHT_HOST": settings.host,
        "MODELWRIGHT_INSECURE": str(settings.insecure),
    }
    # Not by the environment, which whoever is of the same user may read until the process has forbidden it.
    secrets = {name: environment.pop(variable_of(name)) for name in SECRETS if variable_of(name) in environment}
    forget_secrets()
    status = asyncio.run(Supervisor(settings, listeners, environment, secrets).serve())
    sys.exit(status)


class Supervisor:
    """See above. `serve` is all there is to call."""

    def __init__(
        self, settings: Settings, listeners: list[socket.socket], environment: dict[str, str], secrets: dict[str, str]
    ) -> None:
        self._delay = settings.stop_delay_seconds
        self._answering = [f"worker-{number}" for number in range(1, settings.workers + 1)]
        self._listeners = listeners
        self._environment = environment
        self._secrets = line_of("secrets", secrets)
        self._processes: dict[str, Process] = {}
        self._ready = {name: asyncio.Event() for name in ("trainings", *self._answering)}  # since the first time
        self._stop = asyncio.Event()
        self._failed = False
        # Figures
        self._gone: list[MetricFamily] = []  # what those have counted that have ended
        self._asking: list[tuple[Process, int]] = []
        self._untold: set[str] = set()
        self._all_told = asyncio.Event()
        self._gathering: asyncio.Task[None] | None = None

    async def serve(self) -> int:
        """Keeps all processes up until a signal; the exit status."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._asked_to_stop)
        keeping = [asyncio.create_task(self._keep("trainings", "train"))]
        await self._ready["trainings"].wait()  # alone at first: it brings the journal up to date
        descriptors = [listener.fileno() for listener in self._listeners]
        keeping += [asyncio.create_task(self._keep(name, "answer", descriptors)) for name in self._answering]
        for name in self._answering:
            await self._ready[name].wait()
        if not self._stop.is_set():
            for listener in self._listeners:
                log.info("%d workers running on %s (Ctrl-C stops)", len(self._answering), address_of(listener))
        await self._watch()
        await self._end()
        _, unstopped = await asyncio.wait(keeping, timeout=MOST_SECONDS_TO_STOP)
        for process in self._processes.values():
            log.error("%s does not stop and is killed", process.name)
            process.child.kill()
        if unstopped:
            await asyncio.wait(unstopped)
            self._failed = True
        return int(self._failed)

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():  # again: they shall wait for nobody
            for process in self._processes.values():
                process.child.send_signal(signal.SIGINT)
        self._begin_to_stop()

    def _begin_to_stop(self) -> None:
        self._stop.set()
        for ready in self._ready.values():
            ready.set()  # nobody waits for them any more

    async def _end(self) -> None:
        """Lets those who balance load notice that it ends; then nobody can connect any more, and the processes end."""
        self._tell_all(line_of("stop"))
        if not self._failed:
            await asyncio.sleep(self._delay)
        take_no_more(self._listeners)
        for process in self._processes.values():
            process.child.terminate()
        for listener in self._listeners:
            listener.close()

    # Processes

    async def _keep(self, name: str, role: str, descriptors: list[int] | None = None) -> None:
        """Starts it, and again whenever it dies."""
        patience = PATIENCE
        while not self._stop.is_set():
            began = time.monotonic()
            status = await self._run(name, role, descriptors or [])
            if self._stop.is_set():
                self._failed |= status not in (0, -signal.SIGTERM)  # the latter if it had hardly begun
                return
            if not self._ready[name].is_set():  # the service has never worked, and trying again would not help
                log.error("%s did not start (status %d)", name, status)
                self._failed = True
                self._begin_to_stop()
                return
            if time.monotonic() - began > STEADY:
                patience = PATIENCE
            log.error("%s ended (status %d); a new one is started in %.1f s", name, status, patience)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), patience)
            patience = min(2 * patience, MOST_PATIENCE)

    async def _run(self, name: str, role: str, descriptors: list[int]) -> int:
        """One life of it; its exit status."""
        ours, theirs = socket.socketpair()
        with theirs:
            passed = [theirs.fileno(), *descriptors]
            try:
                child = await asyncio.create_subprocess_exec(
                    *interpreter.command("service.processes.worker", role, *map(str, passed)),
                    env=self._environment | interpreter.import_path(),
                    pass_fds=passed,
                    stdin=asyncio.subprocess.DEVNULL,
                    process_group=0,  # a terminal's Ctrl-C is for the supervisor
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
        await self._hear(process, reader)
        status = await child.wait()
        self._forget(process)
        return status

    async def _watch(self) -> None:
        """Kills what hangs, until the service is to stop. Questions are counted, not seconds: a machine that stood still
        has asked none."""
        while not self._stop.is_set():
            for process in self._processes.values():
                if process.unanswered >= MOST_UNANSWERED:
                    log.error("%s hangs and is killed", process.name)
                    process.child.kill()
                elif process.ready:
                    process.unanswered += 1
                    process.send(line_of("tell"))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), BETWEEN_QUESTIONS)

    def _forget(self, process: Process) -> None:
        process.writer.close()
        del self._processes[process.name]
        self._gone = total({process.name: only_summed(process.figures)}, self._gone)
        self._has_told(process.name)

    # What they say

    async def _hear(self, process: Process, reader: asyncio.StreamReader) -> None:
        """Until it has ended."""
        with suppress(ConnectionError):
            while line := await reader.readline():
                process.unanswered = 0
                kind, value = json.loads(line)
                if kind == "ready":
                    process.ready = True
                    self._ready[process.name].set()
                elif kind == "ask":
                    self._ask(process, value)
                elif kind == "told":
                    process.figures = value
                    self._has_told(process.name)
                else:
                    self._tell_all(line, but=process)

    def _tell_all(self, line: bytes, but: Process | None = None) -> None:
        for process in self._processes.values():
            if process is not but and process.ready:
                process.send(line)

    # What they have counted

    def _ask(self, process: Process, number: int) -> None:
        self._asking.append((process, number))
        if self._gathering is None:
            self._gathering = asyncio.create_task(self._gather())

    async def _gather(self) -> None:
        """Has all tell what they have counted until nobody asks any more. Always all of them, so that no sum falls."""
        while self._asking:
            asking, self._asking = self._asking, []
            self._untold = {process.name for process in self._processes.values() if process.ready}
            self._all_told.clear()
            self._tell_all(line_of("tell"))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_told.wait(), MOST_SECONDS_TO_TELL)
            counted = total({process.name: process.figures for process in self._processes.values()}, self._gone)
            for process, number in asking:
                process.send(line_of("sum", [number, counted]))
        self._gathering = None

    def _has_told(self, name: str) -> None:
        self._untold.discard(name)
        if not self._untold:
            self._all_told.set()
