"""The first trainer server of a forked service: forked, too, from the process that has imported what a service and its trainings
need. Only the time of its imports is saved: it is a child of the service, with the variables, descriptors and arguments that the
service gives to it. A later one, and every other child process, is a new interpreter."""

import io
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing
from typing import Any

import orjson

from service.jobs.executors.local import server_process
from service.liveness import die_with

MODULE = "service.jobs.executors.local.trainer_server"
IMPORTED = ("service.use_cases.train", "torchmetrics.functional.classification")  # not MODULE, which is run
LARGEST_REQUEST = 2**20
FIRST_INHERITED = 3  # after the standard descriptors


class ForkedChild:
    """A child of this process, with the methods of `subprocess.Popen` that the service uses.

    Args:
        pid: its process id.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status, a negative one being the signal that killed it; None while it runs."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        status = self._wait(0)
        assert status is not None
        return status

    def kill(self) -> None:
        """`kill -9`, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


class Starter:
    """Stands for the module `subprocess` where the service starts trainer servers: the first is the spare one.

    Args:
        pid: the process id of the spare one.
        connection: to it.
    """

    DEVNULL = subprocess.DEVNULL

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self._pid = pid
        self._connection: socket.socket | None = connection

    def Popen(self, command: list[str], **options: Any) -> "ForkedChild | subprocess.Popen[bytes]":  # noqa: N802 - as there
        """Starts a trainer server."""
        connection, self._connection = self._connection, None
        if connection is None:
            return subprocess.Popen(command, **options)  # noqa: S603 - the service's own
        with closing(connection):
            (control,) = options["pass_fds"]
            request = {"arguments": command[command.index(MODULE) + 1 :], "environment": options["env"], "as": control}
            socket.send_fds(connection, [orjson.dumps(request)], [control, options["stdout"], options["stderr"]])
        return ForkedChild(self._pid)


def become_spare() -> list[str] | None:
    """Forks the spare trainer server from this process, which is about to be a service and must have no other thread.

    Returns:
        In the child: its arguments, once the service starts it. Here: None.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent = os.getpid()
    if pid := os.fork():
        theirs.close()
        vars(server_process)["subprocess"] = Starter(pid, ours)
        return None
    ours.close()
    die_with(parent)
    message, descriptors, _, _ = socket.recv_fds(theirs, LARGEST_REQUEST, FIRST_INHERITED)
    if not message:  # the service has ended without one
        os._exit(0)
    request = orjson.loads(message)
    _take(descriptors, request["as"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None  # it is in the environment
    arguments: list[str] = request["arguments"]
    return arguments


def run(arguments: list[str]) -> None:
    """Becomes `python -m service.jobs.executors.local.trainer_server` with these arguments."""
    sys.argv = [MODULE, *arguments]
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)


def _take(descriptors: list[int], control_as: int) -> None:
    """Has the control socket by its number, the standard descriptors, and no others."""
    control, *outputs = (os.dup2(each, 100 + at, inheritable=False) for at, each in enumerate(descriptors))
    null = os.open(os.devnull, os.O_RDONLY)
    for standard, descriptor in enumerate((null, *outputs)):
        os.dup2(descriptor, standard)
    os.dup2(control, control_as)
    os.closerange(FIRST_INHERITED, control_as)
    os.closerange(control_as + 1, 2**16)
    for name in ("stdout", "stderr"):  # unbuffered, as PYTHONUNBUFFERED has them
        raw = io.FileIO(1 if name == "stdout" else 2, "w", closefd=False)
        setattr(sys, name, io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True))
