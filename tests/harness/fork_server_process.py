"""`python -m tests.harness.fork_server_process DESCRIPTOR`: forks a service for each request on that socket (`fork_server.py`).

It starts no thread, handles no signal and opens nothing, so that each child is like a new process that has imported the modules
of the service."""

import importlib
import os
import runpy
import selectors
import socket
import sys
from contextlib import closing, suppress
from typing import Any

import orjson

from service.interpreter import quick_imports
from tests.harness import spare_trainer_server

LARGEST_REQUEST = 2**20
SERVICE = ("service.cli.main", "service.startup", "service.app")  # as `service.cli.serve` imports them


def wait_for_requests(connection: socket.socket) -> dict[str, Any] | None:
    """Forks a child for each request and reports how it ends.

    Returns:
        In a child: its request. Here: None, once the tests have closed the connection.
    """
    running: dict[
        int, tuple[int, int]
    ] = {}  # by a descriptor of each child: its process id, and a pipe for its exit status
    with closing(selectors.DefaultSelector()) as selector, connection:
        selector.register(connection, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd in running:
                    selector.unregister(key.fd)
                    report_end(key.fd, *running.pop(key.fd))
                    continue
                message, descriptors, _, _ = socket.recv_fds(connection, LARGEST_REQUEST, 2)
                if not message:
                    return None
                output, status = descriptors
                request: dict[str, Any] = orjson.loads(message)
                if not (pid := os.fork()):
                    close(status, *running, *(pipe for _, pipe in running.values()))
                    prepare(output, request["environment"])
                    connection.send(str(os.getpid()).encode())  # by the child, as it is ready only now
                    return request
                close(output)
                descriptor = os.pidfd_open(pid)
                running[descriptor] = (pid, status)
                selector.register(descriptor, selectors.EVENT_READ)


def report_end(descriptor: int, pid: int, status: int) -> None:
    """Writes the exit status of a child that has ended."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(BrokenPipeError):  # nobody waits for it
        os.write(status, str(code).encode())
    close(descriptor, status)


def prepare(output: int, environment: dict[str, str]) -> None:
    """Gives this child what `subprocess` would give it."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    for standard in (1, 2):
        os.dup2(output, standard)
    close(output)


def close(*descriptors: int) -> None:
    """Closes these descriptors."""
    for each in descriptors:
        os.close(each)


def main(descriptor: int) -> None:
    """Serves requests. In a child it becomes `python -m service`, whose exit it does not catch; in a child of that, a trainer
    server."""
    os.set_inheritable(descriptor, False)
    with quick_imports():
        for module in (*SERVICE, *spare_trainer_server.IMPORTED):
            importlib.import_module(module)
    request = wait_for_requests(socket.socket(fileno=descriptor))
    if request is None:
        return
    if request["spare"] and (arguments := spare_trainer_server.become_spare()) is not None:
        spare_trainer_server.run(arguments)
        return
    sys.argv = ["service", *request["arguments"]]
    runpy.run_module("service", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
