"""A real server for tests: the command that users type, on a free port, with a home of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx

START_SECONDS = 180
STOP_SECONDS = 90
ADDRESS = re.compile(r"running on (http://127\.0\.0\.1:\d+)\D")  # to its end: the line may still be on its way


class LiveServer:
    """`python -m service serve` in a process of its own, with these settings of the environment; `with` ends it."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self._log = home.with_suffix(".log")
        command = [sys.executable, "-m", "service", "serve", "--port", "0", "--home", str(home)]
        environment = os.environ | {"MODELWRIGHT_STOP_DELAY_SECONDS": "0"} | settings  # nobody balances load here
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                command, env=environment, stdout=log, stderr=log
            )
        self.url = self._address()

    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    def client(self) -> httpx.Client:
        """A client that believes no proxy of the environment."""
        return httpx.Client(base_url=self.url, timeout=120, trust_env=False)

    def temporary_files(self) -> list[Path]:
        """What lies about under the home's folder for temporary files."""
        walk = os.walk(self.home / "tmp")  # which takes it calmly that a folder goes while it looks
        return [Path(folder) / name for folder, _, names in walk for name in names]

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.stop() == 0

    def _address(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := ADDRESS.search(self.log()):
                return found[1]
            time.sleep(0.02)
        self.process.kill()
        self.process.wait()
        raise AssertionError(f"the service did not start:\n{self.log()}")


def until(reached: Callable[[], Any], seconds: float = 120.0) -> Any:
    """The first true value of `reached`, asked again and again."""
    deadline = time.monotonic() + seconds
    while not (value := reached()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return value
