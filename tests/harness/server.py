"""A real service in a separate process on a free port, which tests may kill, stop and start again with the same
home."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar, Self

import httpx

from modelwright import Client
from tests.harness.fork_server import ForkedProcess, ForkServer
from tests.harness.until import until

ROOT = Path(__file__).parents[2]
ADDRESS = re.compile(r"http://127\.0\.0\.1:[1-9]\d*(?=\D)")  # with the character after it: the line may be incomplete
START_SECONDS = 180.0
STOP_SECONDS = 90.0


class Server:
    """`python -m service serve`, started at once. At the end of `with` it is stopped, and must end with status 0.

    Args:
        home: its home; its output goes to `home`.log beside it.
        log: the name of the file for its output, without suffix, if not that of its home.
        options: more arguments of the command line.
        environment: variables other than settings.
        spare: whether its first trainer server may be forked, too, which leaves it without a command line and variables that
            `/proc` would show.
        settings: `MODELWRIGHT_` settings without the prefix, in lower case.

    Where there is a fork server, that forks it. Not if its variables could have an effect on imports; and not a supervisor, which
    must not have imported what its workers have.
    """

    fork_server: ClassVar[ForkServer | None] = None
    process: subprocess.Popen[bytes] | ForkedProcess

    def __init__(
        self,
        home: Path,
        *,
        log: str | None = None,
        options: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        spare: bool = True,
        **settings: object,
    ) -> None:
        self.home = home
        self.options = options
        self.log_file = home.with_name(f"{log or home.name}.log")
        self.environment = environment or {}
        self.spare = spare
        self.settings = settings
        self.start()

    def start(self) -> None:
        """Starts it, or restarts it after its end, and waits until it can predict."""
        self.launch()
        self.reach()

    def launch(self) -> None:
        """Starts it without waiting."""
        self._log_start = self.log_file.stat().st_size if self.log_file.exists() else 0
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELWRIGHT_")}
        settings = {"stop_delay_seconds": 0, **self.settings}  # no load balancer, unless a test sets one
        environment |= {f"MODELWRIGHT_{name.upper()}": str(value) for name, value in settings.items()}
        environment |= self.environment
        arguments = ["serve", "--port", "0", "--home", str(self.home), *self.options]
        with self.log_file.open("ab") as output:
            forker = self.fork_server
            if forker is not None and forker.fits(environment) and "workers" not in settings:
                self.process = forker.fork(arguments, environment, output.fileno(), spare=self.spare)
                return
            self.process = subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, "-m", "service", *arguments],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,  # its session identifies processes that survive it
            )

    def reach(self) -> None:
        """Waits until it can predict."""
        deadline = time.monotonic() + START_SECONDS
        while not (address := ADDRESS.search(self.log(self._log_start))):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.end()
                raise AssertionError(f"the service did not start; its output:\n{self.log(self._log_start)}")
            time.sleep(0.01)
        self.url = address[0]
        with self.http_client() as http:  # closed at once, as a test may count connections
            until(lambda: http.get("/readyz").status_code == 200, START_SECONDS)
        self.http = self.http_client()
        self.client = Client(self.url, transport=httpx.HTTPTransport(), timeout=60)  # a client without a proxy

    def http_client(self) -> httpx.Client:
        """A new client that ignores proxies of the environment."""
        return httpx.Client(base_url=self.url, timeout=120, trust_env=False)

    def log(self, since: int = 0) -> str:
        """Its output so far, from that byte on."""
        with self.log_file.open("rb") as file:
            file.seek(since)
            return file.read().decode(errors="replace")

    def temporary_files(self) -> list[Path]:
        """The files in its home's folder for temporary files."""
        walk = os.walk(self.home / "tmp")  # os.walk tolerates folders that are deleted meanwhile
        return [Path(folder) / name for folder, _, names in walk for name in names]

    def kill(self) -> None:
        """`kill -9`."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._close_clients()

    def stop(self) -> int:
        """Sends SIGTERM; returns the exit status."""
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Waits until it ends; returns the exit status. Kills it, and raises TimeoutExpired, if it takes too long."""
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._close_clients()
        return status

    def end(self) -> None:
        """Kills it if it is running."""
        if self.process.poll() is None:
            self.kill()
        self._close_clients()

    def children(self) -> list[int]:
        """The process ids of its children: the trainer server, if it runs."""
        return children(self.process.pid)

    def attempts(self) -> list[int]:
        """The process ids of its running attempts."""
        return [attempt for trainer in self.children() for attempt in children(trainer)]

    def _close_clients(self) -> None:
        if hasattr(self, "http"):  # unset if the process ended before it was reachable
            self.http.close()
            self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self.process.poll() is None:
            assert self.stop() == 0, self.log(self._log_start)
        self.end()


def children(pid: int) -> list[int]:
    """The process ids of the children of a process."""
    found = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout  # noqa: S607 - where it is differs
    rows = [line.split() for line in found.splitlines()]
    return [int(child) for child, parent, state in rows if int(parent) == pid and not state.startswith("Z")]


def verify(home: Path) -> None:
    """Asserts that `store verify` finds no damage."""
    command = [sys.executable, "-m", "service", "store", "verify", "--home", str(home)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stdout + done.stderr
