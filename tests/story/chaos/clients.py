"""Clients that use the service during a campaign: they retry until they get a response, and record what was acknowledged.

Each is a thread. They stop only between actions: at the end of a campaign every request has a response.
"""

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import httpx

from tests.story.chaos.ledger import Order
from tests.story.chaos.recipes import RECIPES, rows_for
from tests.story.chaos.site import Site

FINAL = ("succeeded", "failed", "cancelled")
SCRATCH = "scratch"
IMPORTED = "imported"


class ClientThread(threading.Thread, ABC):
    """Repeats random actions.

    Args:
        pause: mean seconds between two actions.
    """

    def __init__(self, site: Site, seed: int, pause: float) -> None:
        super().__init__(daemon=True, name=type(self).__name__)
        self.site = site
        self.ledger = site.ledger
        self.rng = random.Random(seed)  # noqa: S311 - no secret
        self._pause = pause
        self.http = httpx.Client(transport=httpx.HTTPTransport())

    def run(self) -> None:
        """Runs until the campaign is over."""
        try:
            while not self.site.over:
                self.rng.choice(self.actions())()
                time.sleep(self.rng.expovariate(1 / self._pause))
        except Exception as error:
            self.ledger.add_finding(f"{self.name} raised {error!r}")
            raise
        finally:
            self.http.close()

    @abstractmethod
    def actions(self) -> list[Callable[[], None]]:
        """The actions of this client."""

    def request(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        """Sends one request."""
        return self.site.call(self.http, method, path, **more)

    def request_until_answered(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Repeats an idempotent request until there is a response."""
        while (answer := self.request(method, path, **more)) is None:
            self.ledger.count("unanswered requests")
        return answer


class TrainingClient(ClientThread):
    """Submits trainings."""

    def __init__(self, site: Site, seed: int, pause: float, recipes: list[str], most_queued: int) -> None:
        super().__init__(site, seed, pause)
        self._recipes = recipes
        self._most_queued = most_queued

    def actions(self) -> list[Callable[[], None]]:
        return [self.order]

    def order(self) -> None:
        """Submits a job; repeats it under the same key when there was no response, and now and then without reason."""
        queued = self.request_until_answered("GET", "/v1/training-jobs?status=queued&limit=10").json()["data"]
        if len(queued) >= self._most_queued:
            return
        recipe = self.rng.choice(self._recipes)
        order = Order(f"{self.rng.getrandbits(64):x}", recipe)
        self.ledger.orders.append(order)
        self._post(order)
        if self.rng.random() < 0.2:
            self._post(order)

    def _post(self, order: Order) -> None:
        body = RECIPES[order.recipe] | {"model_name": order.recipe}
        answer = None
        while answer is None:
            order.tries += 1
            self.site.posting.set()
            answer = self.request("POST", "/v1/training-jobs", json=body, headers={"Idempotency-Key": order.key})
        job_id = answer.json().get("id", "")
        self.ledger.expect(answer.status_code == 202, f"POST was answered {answer.status_code}: {answer.text[:200]}")
        self.ledger.expect(order.job_id in ("", job_id), f"one key has made two jobs: {order.job_id} and {job_id}")
        order.job_id = job_id


class ModelClient(ClientThread):
    """Uses models: predicts, moves aliases, exports and imports; uploads tables."""

    def actions(self) -> list[Callable[[], None]]:
        return [self.predict, self.predict, self.predict, self.promote, self.import_one, self.upload]

    def predict(self) -> None:
        """Checks that the undisturbed models give the same predictions as at first."""
        recipe, reference = self.rng.choice(list(self.ledger.references.items()))
        path = f"/v1/models/{undisturbed(recipe)}/versions/1/predictions"
        answer = self.request("POST", path, json={"instances": rows_for(recipe)})
        if answer is not None:
            self.ledger.count("predictions")
            same = answer.status_code == 200 and answer.json()["predictions"] == reference.predictions
            self.ledger.expect(same, f"{undisturbed(recipe)} predicts otherwise: {answer.text[:200]}")

    def promote(self) -> None:
        """Moves `production` to some version. A move without a response may or may not be in effect."""
        model = self.rng.choice(list(RECIPES))
        answer = self.request("GET", f"/v1/models/{model}/versions?limit=1000")
        if answer is None or answer.status_code == 404:
            return
        version = self.rng.choice(answer.json()["data"])["version"]
        possible = self.ledger.aliases.setdefault(model, {None})  # there is none yet
        possible.add(version)
        answer = self.request("PUT", f"/v1/models/{model}/aliases/production", json={"version": version})
        if answer is not None:
            self.ledger.expect(answer.is_success, f"promoting {model}@{version}: {answer.text[:200]}")
            possible.clear()
            possible.add(version)
            self.ledger.count("promotions")

    def import_one(self) -> None:
        """Exports a bundle and imports it under another name; the next import removes it."""
        self._remove_imported()
        recipe = self.rng.choice(list(self.ledger.references))
        got = self.request("GET", f"/v1/models/{undisturbed(recipe)}/versions/1/bundle")
        if got is None:
            return
        headers = {"Content-Type": "application/zip"}
        answer = self.request_until_answered(
            "POST", f"/v1/models/{IMPORTED}/versions", content=got.content, headers=headers
        )
        self.ledger.expect(answer.status_code in (200, 201), f"an import: {answer.status_code} {answer.text[:200]}")
        self.ledger.imported.add(answer.json()["digest"])
        self.ledger.count("imports")

    def _remove_imported(self) -> None:
        listed = self.request("GET", f"/v1/models/{IMPORTED}/versions?limit=1000")
        if listed is None or listed.status_code == 404 or len(listed.json()["data"]) < 3:
            return
        oldest = listed.json()["data"][-1]
        answer = self.request_until_answered("DELETE", f"/v1/models/{IMPORTED}/versions/{oldest['version']}")
        self.ledger.expect(answer.status_code in (204, 404), f"a deletion: {answer.status_code} {answer.text[:200]}")
        self.ledger.imported.discard(oldest["digest"])
        self.ledger.count("deletions")

    def upload(self) -> None:
        """Uploads a new version of a data set that no training uses."""
        rows = [f"{self.rng.random()},{self.rng.random()}" for _ in range(200)]
        headers = {"Content-Type": "text/csv"}
        answer = self.request("PUT", f"/v1/datasets/{SCRATCH}", content="\n".join(["a,b", *rows]), headers=headers)
        if answer is not None:
            self.ledger.expect(answer.status_code == 201, f"an upload: {answer.status_code} {answer.text[:200]}")
            self.ledger.tables[answer.json()["version"]] = answer.json()["digest"]
            self.ledger.count("uploads")


class JobClient(ClientThread):
    """Pauses and resumes jobs, and now and then cancels one."""

    def actions(self) -> list[Callable[[], None]]:
        return [self.pause, self.resume, self.cancel]

    def pause(self) -> None:
        """Pauses a job until it is resumed."""
        if (order := self._some(paused=False)) is None:
            return
        order.paused = True
        answer = self.request("POST", f"/v1/training-jobs/{order.job_id}/pause")
        if answer is not None and answer.status_code == 409:
            order.paused = False
            self._look(order)
        elif answer is not None:
            self.ledger.expect(answer.status_code == 200, f"pausing {order.job_id}: {answer.text[:200]}")
            self.ledger.count("pauses")

    def resume(self) -> None:
        """Resumes a paused job."""
        if (order := self._some(paused=True)) is not None:
            self.resume_until_certain(order)

    def resume_until_certain(self, order: Order) -> None:
        """Resumes until it is certain that the job is not paused."""
        answer = self.request_until_answered("POST", f"/v1/training-jobs/{order.job_id}/resume")
        known = answer.status_code in (200, 409)  # 409: it has ended or is being cancelled
        self.ledger.expect(known, f"resuming {order.job_id}: {answer.status_code} {answer.text[:200]}")
        order.paused = False

    def cancel(self) -> None:
        """Seldom: a cancelled job checks little."""
        order = self._some(paused=False)
        if order is None or self.rng.random() > 1 / 4:
            return
        order.cancel = "asked"
        answer = self.request("POST", f"/v1/training-jobs/{order.job_id}/cancel")
        if answer is not None and answer.status_code == 409:
            order.cancel = ""
            self._look(order)
        elif answer is not None:
            self.ledger.expect(answer.status_code == 200, f"cancelling {order.job_id}: {answer.text[:200]}")
            order.cancel = "done"

    def _some(self, *, paused: bool) -> Order | None:
        orders = [each for each in self.ledger.acknowledged() if not each.ended and each.paused is paused]
        orders = [each for each in orders if not each.cancel]
        return self.rng.choice(orders[-12:]) if orders else None

    def _look(self, order: Order) -> None:
        answer = self.request("GET", f"/v1/training-jobs/{order.job_id}")
        order.ended = answer is not None and answer.json()["status"] in FINAL


def undisturbed(recipe: str) -> str:
    """The name of the model that a recipe has made before the first strike."""
    return f"{recipe}-undisturbed"
