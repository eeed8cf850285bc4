"""Requests of clients under mixed load. The data that they create is bounded: names are few, and old versions are deleted."""

import io
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np

from tests.harness.line import line
from tests.story.chaos.recipes import table
from tests.workflow.learning import houses

MODELS = ["load-a", "load-b", "load-c"]
TABLE_MODEL = "load-table"  # learned from the data sets
DATASETS = ["load-rows", "load-more"]
MOST_VERSIONS = 6
MOST_WAITING = 3  # limit of the queue: trainings must not accumulate on a slow machine
WITHOUT_ANSWER = "no answer"
JSON_ROWS = {"instances": [[number / 100] for number in range(100)]}
ROWS = [{name: value for name, value in row.items() if name != "price"} for row in houses(3)]
TEXT = {"Content-Type": "text/csv"}


class LoadClients:
    """All requests and their results: `answers` counts by kind and status, `wrong` lists violations."""

    def __init__(self, url: str, seed: int) -> None:
        self.url = url
        self.answers: Counter[tuple[str, str]] = Counter()
        self.wrong: list[str] = []
        self.over = threading.Event()
        self._seed = seed
        self._table = table()
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def client(self) -> httpx.Client:
        """A client with connections of its own."""
        return httpx.Client(base_url=self.url, transport=httpx.HTTPTransport(), timeout=120)

    def prepare(self) -> None:
        """Creates a version of each model and data set."""
        with self.client() as http:
            for name in DATASETS:
                assert http.put(f"/v1/datasets/{name}", content=self._table, headers=TEXT).status_code == 201
            specs = [line(3, name=name) for name in MODELS] + [from_table(DATASETS[0])]
            jobs = [http.post("/v1/training-jobs", json=spec).json()["id"] for spec in specs]
            for job_id in jobs:
                while http.get(f"/v1/training-jobs/{job_id}?wait=60").json()["status"] != "succeeded":
                    pass

    def send_at(self, rate: float, number: int) -> None:
        """Sends requests one after another, `rate` a second on average, until stopped."""
        rng = random.Random(self._seed + number)  # noqa: S311 - no secret
        kinds = list(KINDS)
        with self.client() as http:
            next_at = time.monotonic()
            while not self.over.wait(max(0.0, next_at - time.monotonic())):
                next_at = max(next_at + rng.expovariate(rate), time.monotonic() - 1)
                kind = rng.choices(kinds, [KINDS[each][1] for each in kinds])[0]
                self._send(kind, http, rng)

    def _send(self, kind: str, http: httpx.Client, rng: random.Random) -> None:
        request, _, allowed = KINDS[kind]
        try:
            status = request(self, http, rng)
        except httpx.HTTPError as error:
            status = f"{WITHOUT_ANSWER}: {type(error).__name__}"
        with self._lock:
            self.answers[kind, str(status)] += 1
            if status not in allowed:
                self.wrong.append(f"{kind}: {status}")

    # Predictions

    def predict_json(self, http: httpx.Client, rng: random.Random) -> int:
        return http.post(f"/v1/models/{rng.choice(MODELS)}/predictions", json=JSON_ROWS).status_code

    def predict_npy(self, http: httpx.Client, rng: random.Random) -> int:
        body = io.BytesIO()
        np.save(body, np.linspace(0, 1, rng.choice([1, 100, 5000]), dtype=np.float32)[:, None])
        sent = {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}
        return http.post(
            f"/v1/models/{rng.choice(MODELS)}/predictions", content=body.getvalue(), headers=sent
        ).status_code

    def predict_csv(self, http: httpx.Client, rng: random.Random) -> int:
        rows = "x\n" + "".join(f"{number / 7}\n" for number in range(rng.choice([1, 100, 2000])))
        sent = {**TEXT, "Accept": "text/csv"}
        return http.post(f"/v1/models/{rng.choice(MODELS)}/predictions", content=rows, headers=sent).status_code

    def predict_lines(self, http: httpx.Client, rng: random.Random) -> int:
        sent = {"Content-Type": "application/x-ndjson"}
        path = f"/v1/models/{rng.choice(MODELS)}/predictions"
        return http.post(path, content=b"[0.5]\n" * rng.choice([10, 10_000]), headers=sent).status_code

    def predict_by_get(self, http: httpx.Client, rng: random.Random) -> int:
        return http.get(f"/v1/models/{rng.choice(MODELS)}/versions/latest/predictions?x={rng.random()}").status_code

    def predict_table(self, http: httpx.Client, rng: random.Random) -> int:
        rows = {"instances": ROWS * rng.choice([1, 30])}
        return http.post(f"/v1/models/{TABLE_MODEL}/predictions", json=rows).status_code

    def predict_wrongly(self, http: httpx.Client, rng: random.Random) -> int:
        path = f"/v1/models/{rng.choice([*MODELS, 'load-none'])}/predictions"
        body = rng.choice([b"{", b"[]", b'{"instances": [["x"]]}', b'{"instances": [{"z": 1}]}'])
        return http.post(path, content=body, headers={"Content-Type": "application/json"}).status_code

    # Lists and single resources

    def list(self, http: httpx.Client, rng: random.Random) -> int:
        model = rng.choice(MODELS)
        paths = [
            "models",
            f"models/{TABLE_MODEL}/versions",
            "datasets",
            "training-jobs?limit=20",
            "audit?limit=20",
            f"models/{model}",
        ]
        paths += [f"models/{model}/{part}" for part in ("versions", "aliases", "aliases/production/history")]
        paths += [f"datasets/{DATASETS[0]}/{part}" for part in ("rows", "versions")]
        return http.get(f"/v1/{rng.choice(paths)}").status_code

    def show(self, http: httpx.Client, rng: random.Random) -> int:
        parts = ["", "/parameters", "/state_dict", "/exports/safetensors", "/bundle"]
        return http.get(f"/v1/models/{rng.choice(MODELS)}/versions/latest{rng.choice(parts)}").status_code

    def metrics(self, http: httpx.Client, rng: random.Random) -> int:
        return http.get(rng.choice(["/metrics", "/readyz", "/openapi.json"])).status_code

    def plot(self, http: httpx.Client, rng: random.Random) -> int:
        plot = rng.choice(["data", "predictions", "learning_curve", "parameters"])
        suffix = rng.choice(["png", "svg", "json", "json"])
        return http.get(f"/v1/models/{rng.choice(MODELS)}/versions/latest/plots/{plot}.{suffix}").status_code

    # Changes

    def upload(self, http: httpx.Client, rng: random.Random) -> int:
        name, more = rng.choice(DATASETS), self._table.splitlines()[1] + b"\n"
        content = self._table + more * rng.randrange(1, 50)
        return http.put(f"/v1/datasets/{name}", content=content, headers=TEXT).status_code

    def upload_and_delete(self, http: httpx.Client, rng: random.Random) -> int:
        path = f"/v1/datasets/load-{next(self._numbers) % 50}"
        if (status := http.put(path, content=b"x,y\n1,2\n2,4\n3,6\n", headers=TEXT).status_code) != 201:
            return status
        return http.delete(path).status_code

    def train(self, http: httpx.Client, rng: random.Random) -> int:
        """A job and its events to the end; some are cancelled."""
        if len(http.get("/v1/training-jobs?status=queued").json()["data"]) >= MOST_WAITING:
            return 200
        spec = line(rng.choice([20, 2000]), name=rng.choice(MODELS))
        if rng.random() < 0.3:
            spec = from_table(rng.choice(DATASETS))
        answer = http.post("/v1/training-jobs", json=spec)
        if answer.status_code != 202:
            return answer.status_code
        job = f"/v1/training-jobs/{answer.json()['id']}"
        if rng.random() < 0.2:
            http.post(f"{job}/cancel")
        with http.stream("GET", f"{job}/events", headers={"Accept": "text/event-stream"}) as events:
            for _ in events.iter_lines():
                if self.over.is_set():
                    break
        return http.get(f"{job}/metrics").status_code

    def move_alias(self, http: httpx.Client, rng: random.Random) -> int:
        model = rng.choice(MODELS)
        versions = http.get(f"/v1/models/{model}/versions").json()["data"]
        body = {"version": rng.choice(versions)["version"]}
        return http.put(f"/v1/models/{model}/aliases/{rng.choice(['production', 'canary'])}", json=body).status_code

    def delete_alias(self, http: httpx.Client, rng: random.Random) -> int:
        return http.delete(f"/v1/models/{rng.choice(MODELS)}/aliases/canary").status_code

    def delete_versions(self, http: httpx.Client, rng: random.Random) -> int:
        """Deletes the oldest versions that no alias needs, where there are many."""
        model, status = rng.choice([*MODELS, TABLE_MODEL]), 204
        listed = http.get(f"/v1/models/{model}/versions?limit=1000").json()["data"]
        for each in [each for each in listed if not each["aliases"]][MOST_VERSIONS:]:
            status = http.delete(f"/v1/models/{model}/versions/{each['version']}").status_code
        return status

    def import_bundle(self, http: httpx.Client, rng: random.Random) -> int:
        model, other = rng.sample(MODELS, 2)
        bundle = http.get(f"/v1/models/{model}/versions/latest/bundle").content
        return http.post(
            f"/v1/models/{other}/versions", content=bundle, headers={"Content-Type": "application/zip"}
        ).status_code


def from_table(dataset: str) -> dict[str, Any]:
    """A spec that trains on a data set."""
    data = {"kind": "dataset", "dataset": dataset, "target": "price"}
    return {"model_name": TABLE_MODEL, "data": data, "model": {"kind": "mlp", "hidden": [8]}, "training": {"epochs": 5}}


Request = Callable[[LoadClients, httpx.Client, random.Random], Any]
# The request, its percentage, and the correct statuses: versions may be deleted between two requests.
KINDS: dict[str, tuple[Request, float, tuple[int, ...]]] = {
    "prediction, JSON": (LoadClients.predict_json, 28, (200,)),
    "prediction, NPY": (LoadClients.predict_npy, 10, (200,)),
    "prediction, CSV": (LoadClients.predict_csv, 10, (200,)),
    "prediction, JSON Lines": (LoadClients.predict_lines, 3, (200,)),
    "prediction by a table's model": (LoadClients.predict_table, 6, (200,)),
    "prediction by GET": (LoadClients.predict_by_get, 8, (200,)),
    "prediction, wrong": (LoadClients.predict_wrongly, 5, (400, 404, 422)),
    "list": (LoadClients.list, 14, (200, 404)),
    "part of a version": (LoadClients.show, 6, (200, 404)),
    "metrics, readiness": (LoadClients.metrics, 4, (200,)),
    "plot": (LoadClients.plot, 1, (200, 404)),
    "upload": (LoadClients.upload, 0.5, (200, 201)),
    "upload and deletion": (LoadClients.upload_and_delete, 0.4, (204, 404)),
    "training with its events": (LoadClients.train, 1.2, (200,)),
    "alias moved": (LoadClients.move_alias, 4, (200, 201, 404)),
    "alias deleted": (LoadClients.delete_alias, 2, (204, 404)),
    "old versions deleted": (LoadClients.delete_versions, 2, (204, 404, 409)),
    "bundle taken in": (LoadClients.import_bundle, 0.5, (200, 201)),
}
