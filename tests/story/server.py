"""A real service in a process of its own, on a free port, that tests may kill, stop and start again on its home."""

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

from modelwright import Client

ROOT = Path(__file__).parents[2]
ADDRESS = re.compile(r"http://127\.0\.0\.1:[1-9]\d*(?=\D)")  # to its end: the line may still be on its way
START_SECONDS = 180.0
STOP_SECONDS = 90.0


class Server:
    """Starts at once; `with` makes sure that it ends.

    Args:
        home: its state; what it says goes to `home`.log beside it.
        log: the name of the file for what it says, if not that of its home.
        options: more of the command line.
        settings: `MODELWRIGHT_` settings without the prefix, in small letters.
    """

    def __init__(
        self, home: Path, *, log: str | None = None, options: tuple[str, ...] = (), **settings: object
    ) -> None:
        self.home = home
        self.options = options
        self.log = home.with_name(f"{log or home.name}.log")
        self.settings = settings
        self.start()

    def start(self) -> None:
        """Starts it, again after it has ended, and waits until it can predict."""
        self.launch()
        self.reach()

    def launch(self) -> None:
        """Starts it and waits for nothing."""
        self._told = self.log.stat().st_size if self.log.exists() else 0
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELWRIGHT_")}
        settings = {"stop_delay_seconds": 0, **self.settings}  # nobody balances load here, unless a test says so
        environment |= {f"MODELWRIGHT_{name.upper()}": str(value) for name, value in settings.items()}
        command = [sys.executable, "-m", "service", "serve", "--port", "0", "--home", str(self.home), *self.options]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own
                command,
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,  # so that what it leaves behind can be told from all else
            )

    def reach(self) -> None:
        """Waits until it can predict."""
        deadline = time.monotonic() + START_SECONDS
        while not (address := ADDRESS.search(self.said(self._told))):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.end()
                raise AssertionError(f"the service did not start; it said:\n{self.said(self._told)}")
            time.sleep(0.01)
        self.url = address[0]
        # A transport of its own leaves proxies of the environment aside.
        self.http = httpx.Client(base_url=self.url, transport=httpx.HTTPTransport(), timeout=60)
        self.client = Client(self.url, transport=httpx.HTTPTransport())
        until(self.client.ready, START_SECONDS)

    def said(self, since: int = 0) -> str:
        """Its output so far, from that byte on."""
        with self.log.open("rb") as file:
            file.seek(since)
            return file.read().decode(errors="replace")

    def kill(self) -> None:
        """`kill -9`."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._forget()

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Its exit status, once it has ended of its own accord."""
        status = self.process.wait(STOP_SECONDS)
        self._forget()
        return status

    def end(self) -> None:
        """Ends it however things stand."""
        if self.process.poll() is None:
            self.kill()

    def children(self) -> list[int]:
        """The trainer server, if it runs."""
        return children(self.process.pid)

    def attempts(self) -> list[int]:
        """The processes of the attempts that run in it."""
        return [attempt for trainer in self.children() for attempt in children(trainer)]

    def _forget(self) -> None:
        if hasattr(self, "http"):  # else it was ended before it could be reached
            self.http.close()
            self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    found = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout  # noqa: S607 - where it is differs
    rows = [line.split() for line in found.splitlines()]
    return [int(child) for child, parent, state in rows if int(parent) == pid and not state.startswith("Z")]


def until(reached: Callable[[], Any], seconds: float = 120.0) -> Any:
    """The first true value of `reached`, asked again and again."""
    deadline = time.monotonic() + seconds
    while not (value := reached()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return value


def line(epochs: int = 0, *, name: str = "line", **more: Any) -> dict[str, Any]:
    """The tutorial's spec."""
    return {
        "model_name": name,
        "data": {"kind": "line", "weight": 0.4, "bias": 0.6, "start": 0, "end": 1, "step": 0.02},
        "split": {"train": 0.8, "validation": 0, "test": 0.2, "shuffle": False},
        "model": {"kind": "linear_regression"},
        "loss": {"name": "L1Loss"},
        "optimizer": {"name": "SGD", "lr": 0.01},
        "training": {"epochs": epochs, "batch_size": "full", "seed": 42},
    } | more


def verify(home: Path) -> None:
    """`store verify` finds everything whole."""
    command = [sys.executable, "-m", "service", "store", "verify", "--home", str(home)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stdout + done.stderr
