"""The servers that are measured: how each starts on its core, its requests, and its CPU time and memory."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.serving.load import Request

HERE = Path(__file__).parent
READY = 120.0  # seconds within which a server answers
Rows = list[list[float]]

QUIET = {  # each server has one core, and sends no telemetry
    "OMP_NUM_THREADS": "1",
    "DO_NOT_TRACK": "1",
    "BENTOML_DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class NotMeasured(Exception):
    """A contender cannot be measured here, and why."""


@dataclass
class Server:
    """A running server."""

    port: int
    process: psutil.Process

    def processes(self) -> list[psutil.Process]:
        """The process and all its descendants."""
        return [self.process, *self.process.children(recursive=True)]

    def cpu(self) -> float:
        """Its CPU seconds."""
        total = 0.0
        for each in self.processes():
            with suppress(psutil.NoSuchProcess):
                total += sum(each.cpu_times()[:4])  # its own, and those of children that have ended
        return total

    def memory(self) -> int:
        """Resident bytes."""
        total = 0
        for each in self.processes():
            with suppress(psutil.NoSuchProcess):
                total += each.memory_info().rss
        return total

    def settle(self) -> None:
        """Waits until the work of its start is done: until it uses 2 % of its core at most."""
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:  # a peer that polls never gets there
            before = self.cpu()
            time.sleep(1)
            if self.cpu() - before <= 0.02:
                return

    def ask(self, request: Request) -> httpx.Response:
        """One request on a connection of its own; a GET if it has no body."""
        return httpx.request(
            "POST" if request.body else "GET",
            f"http://127.0.0.1:{self.port}{request.path}",
            content=request.body,
            headers=dict(request.headers),
            timeout=30,
            trust_env=False,
        )


def free_port() -> int:
    """A free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(core: int, command: Callable[[int], Sequence[str]], ready: Request, **variables: str) -> Iterator[Server]:
    """The server of a command, on this core, once it answers that request with 200 and has settled; it ends with all that
    it has started."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                ["taskset", "-c", str(core), *command(port)],  # noqa: S607
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | QUIET | variables | {"TMPDIR": folder},
                cwd=folder,
                start_new_session=True,
            )
        server = Server(port, psutil.Process(process.pid))
        try:
            _wait(server, process, ready, log)
            server.settle()
            yield server
        finally:
            _end(server, process)


def _wait(server: Server, process: subprocess.Popen[bytes], ready: Request, log: Path) -> None:
    deadline, last = time.monotonic() + READY, "no answer"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with suppress(httpx.HTTPError):
            answer = server.ask(ready)
            if answer.status_code == 200:
                return
            last = f"{answer.status_code} {answer.text[:200]}"
        time.sleep(0.2)
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    raise NotMeasured(f"does not answer: {last}; its last words: {' '.join(lines[-2:])[-300:]}")


def _end(server: Server, process: subprocess.Popen[bytes]) -> None:
    with suppress(psutil.NoSuchProcess):
        family = server.processes() if process.poll() is None else []
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        for each in family:  # that still run; psutil distinguishes a process from a later one with the same number
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(family, 5)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its session is one of its own
    process.wait()


# Requests


def _instances(path: str) -> Callable[[Rows], Request]:
    return lambda rows: Request(path, json.dumps({"instances": rows}).encode())


def _open_inference(rows: Rows) -> Request:
    data = [value for row in rows for value in row]
    tensor = {"name": "x", "shape": [len(rows), len(rows[0])], "datatype": "FP32", "data": data}
    return Request("/v2/models/m/infer", json.dumps({"inputs": [tensor]}).encode())


def _inputs(rows: Rows) -> Request:
    return Request("/invocations", json.dumps({"inputs": rows}).encode())


def _flat(values: Any) -> list[float]:
    return [each[0] if isinstance(each, list) else each for each in values]


def _predictions(answer: Any) -> list[float]:
    return _flat(answer["predictions"])


def _outputs(answer: Any) -> list[float]:
    return _flat(answer["outputs"][0]["data"])


@dataclass(frozen=True)
class Peer:
    """Another way to serve the network."""

    title: str
    program: str
    request: Callable[[Rows], Request]
    answer: Callable[[Any], list[float]]  # the predictions in an answer
    requirements: str | None = None  # of the environment of its own; ours if none

    def command(self, port: int) -> list[str]:
        """Starts it."""
        python = sys.executable if self.requirements is None else str(self.environment / "bin" / "python")
        return [python, str(HERE / "peers" / self.program), str(port)]

    @property
    def environment(self) -> Path:
        """The folder of its environment."""
        return HERE.parent / f".venv-serving-{self.requirements}"

    def install(self) -> None:
        """Creates its environment, if it does not exist. A stamp file marks it as complete."""
        if self.requirements is None or (stamp := self.environment / ".installed").exists():
            return
        shutil.rmtree(self.environment, ignore_errors=True)
        wanted = HERE.parent / f"requirements-serving-{self.requirements}.txt"
        pip = [str(self.environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(wanted)]
        try:
            for command in ([sys.executable, "-m", "venv", str(self.environment)], pip):
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)  # noqa: S603
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise NotMeasured(f"does not install: {str(error.stderr or error)[-300:]}") from error
        stamp.touch()

    @contextmanager
    def serve(self, core: int, rows: Rows, expected: Sequence[float]) -> Iterator[Server]:
        """Runs it on this core, once its response is right."""
        self.install()
        variables = {}
        if self.requirements is not None:  # scripts of its environment, and the libpython of its interpreter (Triton)
            variables["PATH"] = f"{self.environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
            variables["LD_LIBRARY_PATH"] = str(sysconfig.get_config_var("LIBDIR"))
        with running(core, self.command, self.request(rows), **variables) as server:
            got = self.answer(server.ask(self.request(rows)).json())
            if len(got) != len(expected) or max(abs(a - b) for a, b in zip(got, expected, strict=True)) > 1e-4:
                raise NotMeasured("answers with other predictions than the network")
            yield server


BY_HAND = Peer("FastAPI by hand", "by_hand.py", _instances("/predict"), _predictions)
PEERS = [
    BY_HAND,
    Peer("MLServer", "with_mlserver.py", _open_inference, _outputs, "mlserver"),
    Peer("LitServe", "with_litserve.py", _instances("/predict"), _predictions, "litserve"),
    Peer("PyTriton", "with_pytriton.py", _open_inference, _outputs, "pytriton"),
    Peer("KServe", "with_kserve.py", _instances("/v1/models/m:predict"), _predictions, "kserve"),
    Peer("BentoML", "with_bentoml.py", _instances("/predict"), _flat, "bentoml"),
    Peer("MLflow", "with_mlflow.py", _inputs, _predictions, "mlflow"),
]


@contextmanager
def bare(core: int, request: Request, answer: httpx.Response, *work: str) -> Iterator[Server]:
    """The bare ASGI application, with this answer's headers and body; and with that work, if any, as `bare.py` knows it."""
    own = {"date", "server"}  # uvicorn adds them
    headers = [(name, value) for name, value in answer.headers.multi_items() if name not in own]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"headers": headers, "body": b64encode(answer.content).decode()}, file)
        file.flush()
        program = str(HERE / "peers" / "bare.py")
        with running(core, lambda port: [sys.executable, program, str(port), file.name, *work], request) as server:
            yield server


@dataclass
class Ours:
    """Modelwright, over one home."""

    home: Path
    settings: dict[str, str] = field(default_factory=dict)

    def request(self, rows: Rows, model: str = "m") -> Request:
        """The rows as JSON."""
        return _instances(f"/v1/models/{model}/predictions")(rows)

    @contextmanager
    def serve(self, core: int, ready: Request | None = None) -> Iterator[Server]:
        """Runs the service, once it is ready, with only the model of this request in memory."""

        def command(port: int) -> list[str]:
            return [sys.executable, "-m", "service", "serve", "--port", str(port), "--home", str(self.home)]

        root = str(HERE.parent.parent)
        with running(core, command, ready or Request("/readyz", b"", {}), PYTHONPATH=root, **self.settings) as server:
            yield server
