"""A forked service has what it would have as a new interpreter: variables, output, a session of its own, and its exit status."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from service import __version__
from tests.harness.fork_server import ForkServer
from tests.harness.line import line
from tests.harness.server import Server
from tests.harness.until import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each service is a new interpreter")


def end(fork_server: ForkServer, output: Path, *arguments: str, **variables: str) -> int:
    """The exit status of a command that ends by itself."""
    with output.open("ab") as file:
        return fork_server.fork([*arguments], dict(os.environ) | variables, file.fileno()).wait(60)


def test_output_and_exit_status(fork_server: ForkServer, tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert end(fork_server, output, "--version") == 0
    assert output.read_text() == f"modelwright {__version__}\n"
    assert end(fork_server, output, "serve", "--home", str(tmp_path / "home"), MODELWRIGHT_SLOTS="none") == 1
    assert "MODELWRIGHT_SLOTS" in output.read_text()
    assert end(fork_server, output, "no-such-command") == 2


def test_a_process_is_signalled_and_waited_for(fork_server: ForkServer, tmp_path: Path) -> None:
    arguments = ["serve", "--port", "0", "--home", str(tmp_path / "home")]
    with (tmp_path / "output").open("wb") as file:
        process = fork_server.fork(arguments, dict(os.environ), file.fileno())
    assert os.getsid(process.pid) == process.pid
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == process.poll() == -signal.SIGKILL
    until(lambda: not psutil.pid_exists(process.pid))


def test_the_first_trainer_server_is_a_child_of_the_service_and_the_next_a_new_interpreter(tmp_path: Path) -> None:
    with Server(tmp_path / "home", slots=1) as server:
        for again in (False, True):
            job = server.client.wait(server.client.train(line(1))["id"])
            assert job["status"] == "succeeded"
            (trainer,) = server.children()
            assert os.getsid(trainer) == server.process.pid
            assert ("trainer_server" in " ".join(psutil.Process(trainer).cmdline())) == again
            os.kill(trainer, signal.SIGKILL)
            until(lambda: server.children() not in ([], [trainer]))  # noqa: B023 - used at once
        (trainer,) = server.children()
        server.kill()
        until(lambda: not psutil.pid_exists(trainer))


def test_a_spare_trainer_server_ends_with_a_service_that_does_not_start(
    fork_server: ForkServer, tmp_path: Path
) -> None:
    with (tmp_path / "output").open("wb") as file:
        arguments = ["serve", "--home", str(tmp_path / "home")]
        variables = dict(os.environ) | {"MODELWRIGHT_SLOTS": "none"}
        service = fork_server.fork(arguments, variables, file.fileno(), spare=True)
    assert service.wait(60) == 1
    until(lambda: not [each for each in psutil.pids() if _session(each) == service.pid])


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return -1


def test_only_variables_that_imports_do_not_read_may_differ() -> None:
    fork_server = ForkServer()  # with the variables of now: libraries that other tests call set some in this process
    assert fork_server.fits(dict(os.environ) | {"MODELWRIGHT_SLOTS": "2"})
    assert not fork_server.fits(dict(os.environ) | {"PYTHONPATH": "elsewhere"})
