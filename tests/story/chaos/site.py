"""The service under test, and the second one if there is one: whether clients may send requests now, the content of their files
and journal, and their processes."""

import contextlib
import fcntl
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import text

from service.jobs.database import open_database
from tests.harness.server import Server
from tests.story.chaos.ledger import Ledger

ANSWERS_WITHIN = 70.0


class Site:
    """Shared by the clients' threads and by the campaign.

    Args:
        server: the service that is struck next.
        beside: another one on the same home and journal, which keeps running.
        database: the URL of their journal.
    """

    def __init__(self, server: Server, ledger: Ledger, *, beside: Server | None, database: str) -> None:
        self.server = server
        self.beside = beside
        self.database = database
        self._engine = open_database(database)
        self.ledger = ledger
        self.home: Path = server.home
        self.open = threading.Event()  # whether a service is running
        self.posting = threading.Event()  # set when a training is requested
        self.stopping = False  # between SIGTERM and its end, when 503 is a correct response
        self.over = False
        self.sessions = [each.process.pid for each in self.servers]
        self.open.set()

    @property
    def servers(self) -> list[Server]:
        """All services."""
        return [self.server] if self.beside is None else [self.server, self.beside]

    def choose(self, rng: random.Random) -> None:
        """Chooses which of two is struck next."""
        if self.beside is not None and rng.random() < 1 / 2:
            self.server, self.beside = self.beside, self.server

    def close(self) -> None:
        """Makes clients wait."""
        self.open.clear()

    def reopen(self) -> None:
        """Lets clients continue, perhaps with another URL."""
        self.stopping = False
        self.open.set()

    def launch(self) -> None:
        """Starts the service and records its session."""
        self.server.launch()
        self.sessions.append(self.server.process.pid)

    def call(self, http: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response | None:
        """The response; None if there was none because the service was killed."""
        beside = self.beside
        if beside is None:
            self.open.wait()
        # Either of two services; while one is down, the other.
        url = beside.url if beside and not (self.open.is_set() and time.monotonic_ns() % 2) else self.server.url
        try:
            answer = http.request(method, url + path, timeout=ANSWERS_WITHIN, **more)
        except httpx.TimeoutException:
            self.ledger.add_finding(f"no answer within {ANSWERS_WITHIN:.0f} s: {method} {path}")
            return None
        except httpx.TransportError:
            time.sleep(0.02)
            return None
        if answer.status_code == 503 and self.stopping:
            return None
        if answer.status_code >= 500:
            self.ledger.add_finding(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
            return None
        return answer

    # Its files, read without the service

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the journal."""
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def orphaned_jobs(self) -> list[str]:
        """Jobs that the journal shows as running in a dead service."""
        running = self.query("SELECT id, owner FROM jobs WHERE status = 'running'")
        return [job_id for job_id, owner in running if not self._lives(owner)]

    def orphaned_attempts(self) -> list[tuple[int, int]]:
        """Attempts that the journal shows as running in a dead service."""
        begun = self.query("SELECT job_seq, number, owner FROM attempts WHERE ended_at IS NULL")
        return [(job, number) for job, number, owner in begun if not self._lives(owner)]

    def _lives(self, owner: str) -> bool:
        try:
            with (self.home / "owners" / owner).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    # Processes

    def trainer_server(self) -> psutil.Process | None:
        """The trainer server, once it runs."""
        for child in descendants(self.server.process.pid):
            with contextlib.suppress(psutil.Error):
                if (
                    "service.jobs.executors.local.trainer_server" in child.cmdline()
                    and child.status() != psutil.STATUS_ZOMBIE
                ):
                    return child
        return None

    def trainers(self) -> list[psutil.Process]:
        """The running attempts."""
        server = self.trainer_server()
        return descendants(server.pid) if server else []

    def left_alive(self) -> list[psutil.Process]:
        """Processes of dead services."""
        gone = set(self.sessions) - {each.process.pid for each in self.servers if each.process.poll() is None}
        return [process for process in psutil.process_iter() if _lives_in(process, gone)]


def descendants(pid: int) -> list[psutil.Process]:
    """The children of a process that may have ended."""
    with contextlib.suppress(psutil.Error):
        return [child for child in psutil.Process(pid).children() if child.is_running()]
    return []


def _lives_in(process: psutil.Process, sessions: set[int]) -> bool:
    with contextlib.suppress(OSError, psutil.Error):
        return os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE
    return False
