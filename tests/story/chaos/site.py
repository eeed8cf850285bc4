"""The service under attack: who may speak to it now, what its files say, and which processes belong to it."""

import contextlib
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.story.chaos.ledger import Ledger
from tests.story.server import Server

ANSWERS_WITHIN = 70.0


class Site:
    """Shared by the visitors, who come and go, and by the campaign, which strikes."""

    def __init__(self, server: Server, ledger: Ledger) -> None:
        self.server = server
        self.ledger = ledger
        self.home: Path = server.home
        self.open = threading.Event()  # whether there is somebody to speak to
        self.posting = threading.Event()  # set at the moment when a training is asked for
        self.stopping = False  # between SIGTERM and its end, when 503 is an honest answer
        self.over = False
        self.sessions = [server.process.pid]
        self.open.set()

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
        self.open.wait()
        url = self.server.url
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
        with contextlib.closing(sqlite3.connect(f"file:{self.home}/journal.sqlite?mode=ro", uri=True)) as connection:
            return connection.execute(statement).fetchall()

    def owners(self) -> set[str]:
        """Who runs jobs, by the journal."""
        return {owner for (owner,) in self.query("SELECT DISTINCT owner FROM jobs WHERE status = 'running'")}

    # Its processes

    def trainer_server(self) -> psutil.Process | None:
        """It, once it lives."""
        for child in descendants(self.server.process.pid):
            with contextlib.suppress(psutil.Error):
                if "service.jobs.trainer_server" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                    return child
        return None

    def trainers(self) -> list[psutil.Process]:
        """The attempts under way."""
        server = self.trainer_server()
        return descendants(server.pid) if server else []

    def left_alive(self, sessions: list[int]) -> list[psutil.Process]:
        """Processes of services that are gone."""
        return [process for process in psutil.process_iter() if _lives_in(process, sessions)]


def descendants(pid: int) -> list[psutil.Process]:
    """The children of a process that may have ended."""
    with contextlib.suppress(psutil.Error):
        return [child for child in psutil.Process(pid).children() if child.is_running()]
    return []


def _lives_in(process: psutil.Process, sessions: list[int]) -> bool:
    with contextlib.suppress(OSError, psutil.Error):
        return os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE
    return False
