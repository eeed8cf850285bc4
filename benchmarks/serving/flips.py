"""Alias flips under load: each response must be that of the version that it names."""

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from benchmarks.serving.load import Request

CLIENTS = 4


@dataclass
class Flips:
    """The responses while the alias moved between the versions."""

    answers: Counter[int] = field(default_factory=Counter)  # by version
    failures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0  # a flip


def flip(port: int, model: str, request: Request, times: int) -> Flips:
    """Moves `production` between the versions 1 and 2 so often, while clients predict without a version."""
    base = f"http://127.0.0.1:{port}/v1/models/{model}"
    seen, ended = Flips(), threading.Event()
    with httpx.Client(trust_env=False, timeout=30) as client:
        expected = {}
        for version in (1, 2):
            url = f"{base}/versions/{version}/predictions"
            answer = client.post(url, content=request.body, headers=dict(request.headers))
            expected[version] = answer.raise_for_status().json()["predictions"]
        if expected[1] == expected[2]:
            raise ValueError("the two versions answer alike")
        client.put(f"{base}/aliases/production", json={"version": 1}).raise_for_status()
        arguments = port, request, expected, seen, ended
        clients = [threading.Thread(target=_ask, args=arguments) for _ in range(CLIENTS)]
        for each in clients:
            each.start()
        try:
            began = time.perf_counter()
            for i in range(times):
                answer = client.put(f"{base}/aliases/production", json={"version": 2 - i % 2})
                if not answer.is_success:
                    seen.failures[f"flip: {answer.status_code}"] += 1
            seen.seconds = (time.perf_counter() - began) / max(1, times)
        finally:
            ended.set()
            for each in clients:
                each.join()
    return seen


def _ask(port: int, request: Request, expected: dict[int, list[float]], seen: Flips, ended: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    answers, failures = Counter[int](), Counter[str]()
    while not ended.is_set():
        try:
            connection.request("POST", request.path, request.body, dict(request.headers))
            answer = connection.getresponse()
            got = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures[type(error).__name__] += 1
            connection.close()
            continue
        if answer.status != 200:
            failures[str(answer.status)] += 1
        elif _differ(got["predictions"], expected[got["model_version"]]):
            failures["another version's answer"] += 1
        else:
            answers[got["model_version"]] += 1
    connection.close()
    seen.answers += answers
    seen.failures += failures


def _differ(got: list[float], expected: list[float]) -> bool:
    """Whether they differ by more than rounding within a batch explains."""
    return any(abs(a - b) > 1e-4 for a, b in zip(got, expected, strict=True))
