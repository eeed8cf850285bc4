"""A service of several processes behaves as one, whichever worker answers and whichever is killed."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import pytest

from modelwright import ApiError, Client
from tests.harness.line import line
from tests.harness.server import Server, children, verify
from tests.harness.until import until

ROW = {"inputs": {"x": [1.0]}}
SIZES = ("Rss", "Pss", "Private_Dirty")


class Connected(Client):
    """A client of the service that also reads `/metrics`, over the same connection."""

    def __init__(self, url: str) -> None:
        transport = httpx.HTTPTransport()
        super().__init__(url, transport=transport)
        self._plain = httpx.Client(base_url=url, transport=transport, timeout=60)

    def metrics_text(self) -> str:
        """The metrics in Prometheus' text format."""
        return self._plain.get("/metrics").raise_for_status().text


class Service(Server):
    """A service with two workers, each of which can be addressed."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self._clients = contextlib.ExitStack()
        super().__init__(home, **{"workers": 2, "slots": 1, "checkpoint_seconds": 0.1, **settings})

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._clients.close()
        super().__exit__(kind)

    def processes(self) -> dict[int, str]:
        """The processes beside the supervisor, each with its role."""
        found = {}
        for pid in children(self.process.pid):
            with contextlib.suppress(psutil.Error, ValueError):  # one that is starting or has just ended does not count
                command = psutil.Process(pid).cmdline()
                found[pid] = command[command.index("service.processes.worker") + 1]
        return found

    def answering(self) -> list[int]:
        """The workers that accept connections."""
        return sorted(pid for pid, role in self.processes().items() if role == "answer")

    def training(self) -> int:
        """The process that runs trainings."""
        return next(pid for pid, role in self.processes().items() if role == "train")

    def attempts(self) -> list[int]:
        """The running trainings."""
        return [attempt for trainer in children(self.training()) for attempt in children(trainer)]

    def each(self) -> dict[int, Connected]:
        """For each worker a client connected to it, as long as the connection is not idle for some seconds: on a slow
        machine it may have to reconnect, perhaps to another worker."""
        found: dict[int, Connected] = {}
        while found.keys() != set(self.answering()):
            client = Connected(self.url)
            self._clients.enter_context(client)
            before = self.connections()
            assert client.ready()
            for pid, ports in self.connections().items():
                if ports - before.get(pid, set()):
                    found.setdefault(pid, client)
        return found

    def both_ways(self) -> list[tuple[Connected, Connected]]:
        """The two clients in both orders."""
        first, second = self.each().values()
        return [(first, second), (second, first)]

    def connections(self) -> dict[int, set[int]]:
        """The client ports connected to each worker."""
        return {
            pid: {each.raddr.port for each in psutil.Process(pid).net_connections("tcp") if each.raddr}
            for pid in self.answering()
        }


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two workers."""
    with Service(tmp_path_factory.mktemp("pair") / "home") as server:
        yield server
        assert server.stop() == 0
        lines = [json.loads(line) for line in server.log().splitlines()]
        assert all({"timestamp", "level", "logger", "event"} <= each.keys() for each in lines)
        assert all(each["level"] != "error" for each in lines), server.log()


@pytest.fixture(scope="module")
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that has trained a line and whose processes may be killed: it restarts them. The tests of its metrics
    come first, so that its requests are known."""
    with Service(tmp_path_factory.mktemp("struck") / "home") as server:
        server.client.wait(server.client.train(line())["id"])
        yield server
    verify(server.home)


def test_a_job_can_be_followed_and_stopped_from_any_worker(pair: Service) -> None:
    for first, second in pair.both_ways():
        job_id = first.train(line(2_000_000, name="long"))["id"]
        # The stream is live: it would not end for minutes.
        assert any(event["type"] == "metrics" for event in second.events(job_id))
        assert second.pause(job_id)["status"] == "paused"
        assert first.resume(job_id)["status"] == "queued"
        until(lambda: second.job(job_id)["attempt"] == 2)  # noqa: B023
        assert second.cancel(job_id)["status"] == "cancelled"


def test_all_workers_share_the_slots(pair: Service) -> None:
    jobs = [
        client.train(line(3000, name=f"slot{number}"))["id"] for number in range(2) for client in pair.each().values()
    ]
    while any(pair.client.job(job_id)["status"] != "succeeded" for job_id in jobs):
        assert len(list(pair.client.jobs(status="running"))) <= 1
        assert len(pair.attempts()) <= 2  # one of them may still be ending
        time.sleep(0.02)  # else the requests would take a core
    assert all(pair.client.job(job_id)["attempt"] == 1 for job_id in jobs)


def test_a_worker_that_shows_a_success_serves_it_as_latest(pair: Service) -> None:
    for number in range(1, 7):
        first, second = pair.each().values()
        for client in (first, second)[: number - 1]:
            assert client.predict("followed", inputs={"x": [1.0]})["model_version"] == number - 1  # loaded from now on
        job_id = first.train(line(number, name="followed"))["id"]
        assert second.wait(job_id)["status"] == "succeeded"
        assert second.predict("followed", inputs={"x": [1.0]})["model_version"] == number
        until(lambda: first.predict("followed", inputs={"x": [1.0]})["model_version"] == number)  # noqa: B023


def test_an_alias_is_followed_by_all_workers(pair: Service) -> None:
    for epochs in (1, 2):
        pair.client.wait(pair.client.train(line(epochs, name="aliased"))["id"])
    for first, second in pair.both_ways():
        for version in (1, 2, 1):
            for client in (first, second):
                with contextlib.suppress(ApiError):
                    client.predict("aliased", inputs={"x": [1.0]})
            first.set_alias("aliased", "production", version)
            assert first.predict("aliased", inputs={"x": [1.0]})["model_version"] == version
            until(lambda: second.predict("aliased", inputs={"x": [1.0]})["model_version"] == version)  # noqa: B023


def test_an_upload_continues_at_any_worker(pair: Service, tmp_path: Path) -> None:
    pair.client.wait(pair.client.train(line(1, name="carried"))["id"])
    bundle, beginning = pair.client.download_bundle("carried", 1, tmp_path / "carried.zip"), tmp_path / "beginning"
    beginning.write_bytes(bundle.read_bytes()[:1000])
    first, second = pair.each().values()
    upload, size = first.create_upload(bundle.stat().st_size)["id"], bundle.stat().st_size
    assert second.continue_upload(upload, beginning, 0) == first.upload(upload)["offset"] == 1000
    assert first.continue_upload(upload, bundle, 1000) == size
    assert second.import_upload("received", upload)["version"] == 1


def test_metrics_cover_all_workers_and_survive_killed_ones(killable: Service) -> None:
    predicted = 0

    def both_have_predicted() -> bool:
        nonlocal predicted
        for client in killable.each().values():
            client.predict("line", version=1, inputs={"x": [1.0]})
            predicted += 1
        metrics = killable.http.get("/metrics").text
        return all(sum_of(metrics, "modelwright_warm_models", process=f"worker-{number}") == 1 for number in (1, 2))

    until(both_have_predicted)
    clients = killable.each()
    for client in clients.values():
        assert predictions_counted(client) == predicted
        assert sum_of(client.metrics_text(), "modelwright_batch_rows_bucket", le="1.0") == predicted
    killed, left = clients
    os.kill(killed, signal.SIGKILL)
    assert predictions_counted(clients[left]) == predicted
    until(lambda: len(killable.answering()) == 2 and sorted(killable.answering()) != sorted(clients))
    for number, client in enumerate(killable.each().values(), predicted + 1):
        client.predict("line", version=1, inputs={"x": [1.0]})
        assert predictions_counted(client) == number


def test_shared_metrics_appear_once(killable: Service) -> None:
    done = 'modelwright_jobs{status="succeeded"} 1.0'  # the journal is queried once a second
    for client in killable.each().values():
        until(lambda: done in client.metrics_text().splitlines())  # noqa: B023
        metrics = client.metrics_text()
        for name in ("journal_up", "home_free_bytes", "home_size_bytes", "build_info", "keys_required"):
            (sample,) = re.findall(rf"^modelwright_{name}(?:{{.*}})? .*$", metrics, re.MULTILINE)
            assert "process=" not in sample
        assert len(re.findall(r'^modelwright_jobs{status="\w+"} ', metrics, re.MULTILINE)) == metrics.count(
            "modelwright_jobs{"
        )
        assert sum_of(metrics, "modelwright_attempts_total", end="succeeded") == 1
        assert sum_of(metrics, "modelwright_job_seconds_count", status="succeeded") == 1
        assert sum_of(metrics, "modelwright_training_stage_seconds_count", stage="train") == 1
        assert re.findall(r"^modelwright_training_slots{(.*)} 1.0$", metrics, re.MULTILINE) == ['process="trainings"']
        assert metrics.count("process_resident_memory_bytes{") == 3


@pytest.mark.parametrize("role", [pytest.param("answer", marks=pytest.mark.nightly), "train"])
def test_a_killed_process_is_started_again_and_nothing_is_lost(killable: Service, role: str) -> None:
    with PredictingClients(killable.url) as clients:
        until(lambda: clients.answered > 50)
        job_id = killable.client.train(line(12_000, name="long"))["id"]
        until(lambda: list((killable.home / "checkpoints" / job_id).glob("*.safetensors")))
        killed = killable.answering()[0] if role == "answer" else killable.training()
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in killable.processes() and len(killable.processes()) == 3)
        job = killable.client.wait(job_id)
        answered = clients.answered
        until(lambda: clients.answered > answered + 50)
    assert clients.refused == 0, "a new connection was refused though the other worker listens"
    assert clients.cut_off <= (PredictingClients.CLIENTS if role == "answer" else 0)
    assert (job["status"], job["attempt"]) == ("succeeded", 1 if role == "answer" else 2)
    if role == "train":
        assert killable.client.attempts(job_id)[0]["cause"]["code"] == "lease_lost"


def test_a_process_that_hangs_is_replaced(killable: Service) -> None:
    hangs = killable.answering()[0]
    os.kill(hangs, signal.SIGSTOP)
    until(lambda: hangs not in killable.processes() and len(killable.answering()) == 2)
    assert "hangs and is killed" in killable.log()
    killable.client.wait(killable.client.train(line())["id"])
    for client in killable.each().values():
        assert client.predict("line", version=1, inputs={"x": [1.0]})["model_version"] == 1


def test_the_workers_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with Service(tmp_path / "home") as server:
        pids = [*server.processes(), *(trainer for pid in server.processes() for trainer in children(pid))]
        assert len(pids) == 4
        server.kill()
        until(lambda: not any(alive(pid) for pid in pids))


def test_a_service_that_cannot_start_says_why_once(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "home" / "journal.sqlite")) as journal:
        journal.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        journal.execute("INSERT INTO alembic_version VALUES ('9999')")
        journal.commit()
    with pytest.raises(AssertionError, match="did not start"):
        Service(tmp_path / "home")
    output = (tmp_path / "home.log").read_text()
    assert output.count("Error: ") == 1
    assert "a newer version of Modelwright" in output
    assert "Traceback" not in output


@pytest.mark.nightly
def test_workers_share_the_pages_of_weights(pair: Service) -> None:
    spec = line(0, name="wide") | {"model": {"kind": "mlp", "hidden": [1024, 1024, 1024]}}
    pair.client.wait(pair.client.train(spec)["id"])

    def mapped_by_both() -> list[tuple[int, int, int]]:
        for client in pair.each().values():
            client.predict("wide", version=1, inputs={"x": [0.5]})
        found = [weights(pid) for pid in pair.answering()]
        return found if all(rss > 8_000_000 for rss, _, _ in found) else []

    mapped = until(mapped_by_both)
    for rss, pss, private_dirty in mapped:
        assert pss < 0.7 * rss, mapped
        assert private_dirty == 0, mapped


class PredictingClients:
    """Clients that predict again and again, and reconnect at once when they are disconnected."""

    CLIENTS = 4

    def __init__(self, url: str) -> None:
        self.answered = self.cut_off = self.refused = 0
        self._url = url
        self._over = False
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(self.CLIENTS)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._over:
            with httpx.Client(base_url=self._url, transport=httpx.HTTPTransport(), timeout=60) as http:
                try:
                    while not self._over:
                        http.post("/v1/models/line/versions/1/predictions", json=ROW).raise_for_status()
                        with self._lock:
                            self.answered += 1
                        time.sleep(0.01)  # else they would take a core
                except httpx.ConnectError:
                    self.refused += 1
                except httpx.TransportError:
                    self.cut_off += 1


def predictions_counted(client: Connected) -> float:
    """The number of successful predictions by the metrics."""
    return sum_of(client.metrics_text(), "modelwright_predictions_total", status="200")


def sum_of(text: str, name: str, **labels: str) -> float:
    """The sum of these samples in the metrics."""
    found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    return sum(float(value) for metrics, value in found if wanted <= set(metrics.split(",")))


def weights(pid: int) -> tuple[int, int, int]:
    """The largest file of weights mapped by a process: its resident bytes, its proportional share, and its private
    modified bytes."""
    about = Path(f"/proc/{pid}/smaps").read_text()
    mapped: dict[str, list[int]] = {}
    for each in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", about):
        if "/store/blobs/" in each.partition("\n")[0]:
            name = each.partition("\n")[0].split()[-1]
            sizes = [int(re.findall(rf"^{what}: +(\d+) kB", each, re.MULTILINE)[0]) for what in SIZES]
            mapped[name] = [
                so_far + 1024 * size for so_far, size in zip(mapped.get(name, [0, 0, 0]), sizes, strict=True)
            ]
    rss, pss, private_dirty = max(mapped.values(), default=(0, 0, 0))
    return rss, pss, private_dirty


def alive(pid: int) -> bool:
    """Whether that process has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
