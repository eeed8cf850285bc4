"""Starts of the service without the time of its imports: a process that has imported what `python -m service serve` imports,
and forks a child that goes on as that command would. The child has its own session, environment, output and command line."""

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import orjson

ROOT = Path(__file__).parents[2]
CHUNK = 1024
# What variables that no import reads begin with. Encoding texts, training and exporting set the last three in a test.
READ_LATER = ("MODELWRIGHT_", "PYTEST_", "TOKENIZERS_", "CUBLAS_", "TORCHINDUCTOR_")


class ForkedProcess:
    """A child of the fork server, with the methods of `subprocess.Popen` that tests use.

    Args:
        pid: its process id.
        ended: a pipe from which its exit status can be read once it has ended.
    """

    def __init__(self, pid: int, ended: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """The exit status, a negative one being the signal that killed it; None while it runs."""
        if self.returncode is None and select.select([self._ended], [], [], 0)[0]:
            self._read()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not ended after that many seconds.
        """
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            self._read()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def _read(self) -> None:
        status = os.read(self._ended, CHUNK)
        os.close(self._ended)
        assert status, "the fork server is gone"
        self.returncode = int(status)


class ForkServer:
    """The process that forks (`fork_server_process.py`), started when it is first needed, with the variables of this process."""

    def __init__(self) -> None:
        self._environment = _imported_with(dict(os.environ))
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def fits(self, environment: dict[str, str]) -> bool:
        """Whether a process with these variables would import the same: the path, and what libraries read, may not differ."""
        return _imported_with(environment) == self._environment

    def fork(
        self, arguments: list[str], environment: dict[str, str], output: int, *, spare: bool = False
    ) -> ForkedProcess:
        """Starts `python -m service` with these arguments and environment variables.

        Args:
            arguments: those after `python -m service`.
            environment: all of its environment variables.
            output: the descriptor for its standard output and error.
            spare: whether its first trainer server is forked, too (`spare_trainer_server.py`).
        """
        connection = self._connection or self._start()
        ended, status = os.pipe()
        try:
            request = orjson.dumps({"arguments": arguments, "environment": environment, "spare": spare})
            socket.send_fds(connection, [request], [output, status])
        finally:
            os.close(status)
        pid = connection.recv(CHUNK)
        assert pid, "the fork server is gone"
        return ForkedProcess(int(pid), ended)

    def close(self) -> None:
        """Ends the process that forks; its children go on."""
        if self._process is not None and self._connection is not None:
            self._connection.close()
            assert self._process.wait(60) == 0
            self._process = self._connection = None

    def _start(self) -> socket.socket:
        # Each message is received as a whole.
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, "-m", "tests.harness.fork_server_process", str(theirs.fileno())],
                cwd=ROOT,
                env=self._environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal of the tests does not reach it
            )
        return self._connection


def _imported_with(environment: dict[str, str]) -> dict[str, str]:
    """The variables that may have an effect on imports."""
    return {name: value for name, value in environment.items() if not name.startswith(READ_LATER)}
