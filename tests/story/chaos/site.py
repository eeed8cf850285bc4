"""The service under attack, and the one beside it if there is one: who may speak to them now, what their files and their
journal say, and which processes belong to them."""

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
    """Shared by the visitors, who come and go, and by the campaign, which strikes.

    Args:
        server: the service that is struck next.
        beside: another one on the same home and journal, which lives meanwhile.
        database: where their journal is.
    """

    def __init__(self, server: Server, ledger: Ledger, *, beside: Server | None, database: str) -> None:
        self.server = server
        self.beside = beside
        self.database = database
        self._engine = open_database(database)
        self.ledger = ledger
        self.home: Path = server.home
        self.open = threading.Event()  # whether there is somebody to speak to
        self.posting = threading.Event()  # set at the moment when a training is asked for
        self.stopping = False  # between SIGTERM and its end, when 503 is an honest answer
        self.over = False
        self.sessions = [each.process.pid for each in self.servers]
        self.open.set()

    @property
    def servers(self) -> list[Server]:
        """All that there are."""
        return [self.server] if self.beside is None else [self.server, self.beside]

    def choose(self, dice: random.Random) -> None:
        """Which of two is struck next."""
        if self.beside is not None and dice.random() < 1 / 2:
            self.server, self.beside = self.beside, self.server

    def close(self) -> None:
        """Nobody is to be spoken to: visitors wait."""
        self.open.clear()

    def reopen(self) -> None:
        """It is there again, perhaps under another address."""
        self.stopping = False
        self.open.set()

    def launch(self) -> None:
        """Starts the service and remembers its session."""
        self.server.launch()
        self.sessions.append(self.server.process.pid)

    def call(self, http: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response | None:
        """The answer; None when there was none, as happens to those whose service is killed."""
        beside = self.beside
        if beside is None:
            self.open.wait()
        # Any of two will do, and as long as one is gone the other must.
        url = beside.url if beside and not (self.open.is_set() and time.monotonic_ns() % 2) else self.server.url
        try:
            answer = http.request(method, url + path, timeout=ANSWERS_WITHIN, **more)
        except httpx.TimeoutException:
            self.ledger.find(f"no answer within {ANSWERS_WITHIN:.0f} s: {method} {path}")
            return None
        except httpx.TransportError:
            time.sleep(0.02)
            return None
        if answer.status_code == 503 and self.stopping:
            return None
        if answer.status_code >= 500:
            self.ledger.find(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
            return None
        return answer

    # What its files say, read beside it

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the journal."""
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def orphaned_jobs(self) -> list[str]:
        """The jobs that run, by the journal, for a service that is gone."""
        running = self.query("SELECT id, owner FROM jobs WHERE status = 'running'")
        return [job_id for job_id, owner in running if not self._lives(owner)]

    def orphaned_attempts(self) -> list[tuple[int, int]]:
        """The attempts that have not ended, by the journal, though their service is gone."""
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

    # Its processes

    def trainer_server(self) -> psutil.Process | None:
        """It, once it lives."""
        for child in descendants(self.server.process.pid):
            with contextlib.suppress(psutil.Error):
                if (
                    "service.jobs.executors.local.trainer_server" in child.cmdline()
                    and child.status() != psutil.STATUS_ZOMBIE
                ):
                    return child
        return None

    def trainers(self) -> list[psutil.Process]:
        """The attempts under way."""
        server = self.trainer_server()
        return descendants(server.pid) if server else []

    def left_alive(self) -> list[psutil.Process]:
        """Processes of services that are gone."""
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
