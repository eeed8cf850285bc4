"""A plug-in kind of model whose trainings are hostile. It is harmless outside of an attempt."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import nn

from service.jobs.executors.local.trainer_server import NICENESS
from service.workflow.models.input_shapes import InputShapes
from service.workflow.models.kind import ModelKind
from service.workflow.tasks import Task

PIECE = 32 * 2**20  # bytes of memory allocated at a time
MOST_MEMORY = 2**31  # protects the machine if no limit applies
ENDLESS = 600.0  # seconds


class HostileSpec(ModelKind):
    """Linear regression whose first forward in a training is hostile."""

    tasks: ClassVar = frozenset({Task.REGRESSION})
    heads: ClassVar = False
    stops_early: ClassVar = False

    kind: Literal["hostile"] = "hostile"
    do: str
    begun: str  # the file that shows that it has begun

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        """Builds the network."""
        return Hostile(inputs.features, outputs, self.do, self.begun)


class Hostile(nn.Module):
    """The network of `HostileSpec`."""

    def __init__(self, features: int, outputs: int, do: str, begun: str) -> None:
        super().__init__()
        self.linear = nn.Linear(features, outputs)
        self.act: Callable[[], None] = ACTS[do]
        self.begun = begun
        self.done = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The weighted sum; the first call in an attempt performs the act."""
        if self.training and not self.done and os.nice(0) == NICENESS:
            self.done = True
            Path(self.begun).touch()
            self.act()
        return self.linear(x)  # type: ignore[no-any-return]


class NotAnException(BaseException):
    """Not caught by `except Exception`."""


def _takes_memory() -> None:
    taken: list[bytes] = []
    while True:
        if len(taken) * PIECE < MOST_MEMORY:
            taken.append(bytes(range(256)) * (PIECE // 256))
        time.sleep(0.02)


def _takes_memory_below() -> None:
    for _ in range(2):
        if os.fork() == 0:
            _takes_memory()
    _waits()


def _waits() -> None:
    time.sleep(ENDLESS)


def _never_ends() -> None:
    while True:
        pass


def _deadlocks() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def _segfaults() -> None:
    ctypes.memset(0, 0, 1)


def _raises() -> None:
    raise RuntimeError("on purpose")


def _raises_what_is_no_exception() -> None:
    raise NotAnException


def _interrupts() -> None:
    raise KeyboardInterrupt


def _prints() -> None:
    while True:
        os.write(1, b"x" * 1000 + b"\n")
        os.write(2, b"\x1b[2J{not json" * 100)


def _fills_the_disk() -> None:
    with tempfile.NamedTemporaryFile(delete=False) as file:
        while True:
            file.write(b"x" * 2**20)


def _fills_the_disk_and_waits() -> None:
    try:
        _fills_the_disk()
    except OSError:
        _waits()


def _takes_all_descriptors() -> None:
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        _waits()


def _starts_threads() -> None:
    for _ in range(200):
        threading.Thread(target=_never_ends).start()
    _waits()


def _ignores_signals() -> None:
    for each in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(each, signal.SIG_IGN)
    _never_ends()


def _signals_itself() -> None:
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE, signal.SIGWINCH, signal.SIGCONT):
        os.kill(os.getpid(), each)
    os.kill(os.getpid(), signal.SIGUSR1)


def _stops_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _forks_once() -> None:
    if os.fork() == 0:
        os._exit(3)


def _leaves_a_child() -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        _waits()
        os._exit(0)


def _leaves_programs() -> None:
    for new in (True, False, True):
        subprocess.Popen(["/bin/sleep", str(ENDLESS)], start_new_session=new)  # noqa: S603 - what it is for


def _kills_its_parent() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    _waits()


def _stops_its_parent() -> None:
    os.kill(os.getppid(), signal.SIGSTOP)
    _waits()


def _kills_its_session() -> None:
    os.killpg(0, signal.SIGKILL)


def _opens_sockets() -> None:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(100)]
    held += [socket.create_connection(each.getsockname()) for each in held]
    _waits()


ACTS: dict[str, Callable[[], None]] = {
    "waits": _waits,
    "takes_memory": _takes_memory,
    "takes_memory_below": _takes_memory_below,
    "never_ends": _never_ends,
    "deadlocks": _deadlocks,
    "segfaults": _segfaults,
    "exits": lambda: os._exit(0),
    "exits_with_7": lambda: os._exit(7),
    "asks_to_exit": sys.exit,
    "raises": _raises,
    "raises_what_is_no_exception": _raises_what_is_no_exception,
    "interrupts": _interrupts,
    "prints": _prints,
    "fills_the_disk": _fills_the_disk,
    "fills_the_disk_and_waits": _fills_the_disk_and_waits,
    "takes_all_descriptors": _takes_all_descriptors,
    "starts_threads": _starts_threads,
    "ignores_signals": _ignores_signals,
    "signals_itself": _signals_itself,
    "stops_itself": _stops_itself,
    "forks_once": _forks_once,
    "leaves_a_child": _leaves_a_child,
    "leaves_programs": _leaves_programs,
    "kills_its_session": _kills_its_session,
    "opens_sockets": _opens_sockets,
    "stops_its_parent": _stops_its_parent,
    "kills_its_parent": _kills_its_parent,
}
