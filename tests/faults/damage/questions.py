"""Requests that change nothing, and how their responses may differ when a file is damaged."""

import hashlib
import json
import re
from typing import Any

import httpx

from tests.workflow.learning import houses

MODELS = ["line", "table"]
DATASETS = ["houses", "prices"]
VERSIONS = [1, 2]
ROWS = [{name: value for name, value in row.items() if name != "price"} for row in houses(3)]
PARTS = ["", "/parameters", "/state_dict", "/exports/safetensors", "/bundle"]
PLOTS = ["data", "learning_curve"]
DAMAGES = {"version_corrupt", "journal_damaged", "unavailable", "made_by_newer"}
AUDIT = "/v1/audit?limit=1000"
WITHOUT_BODY = {"/metrics"}  # its content changes with each request
SAYS_SO = re.compile("corrupt|newer Modelwright|cannot be (read|used)")  # of protocols without codes
Answer = tuple[int, Any]


def addresses(jobs: list[str]) -> list[str]:
    """The addresses of everything in the service; a prediction by POST is `POST address`."""
    found = [
        "/readyz",
        "/metrics",
        "/v1/models",
        "/v1/datasets",
        "/v1/training-jobs",
        "/v1/keys",
        AUDIT,
        "/v2/models",
    ]
    found += ["/v1/training-jobs?status=succeeded", "/v1/training-jobs?model_name=line"]
    for model in MODELS:
        own = f"/v1/models/{model}"
        found += [
            own,
            f"{own}/versions",
            f"{own}/compare?a=1&b=2",
            f"{own}/aliases",
            f"{own}/aliases/production",
            f"{own}/aliases/production/history",
        ]
        found += [f"{own}/versions/{version}{part}" for version in VERSIONS for part in PARTS]
        found += [f"{own}/versions/{version}/plots/{plot}.json" for version in VERSIONS for plot in PLOTS]
        found += [
            f"POST {own}{version}/predictions"
            for version in ("", *(f"/versions/{each}" for each in (*VERSIONS, "production", "latest")))
        ]
        found += [f"/v2/models/{model}", f"/v2/models/{model}/ready"]
    for dataset in DATASETS:
        found += [f"/v1/datasets/{dataset}{part}" for part in ("", "/versions", "/rows")]
    for job in jobs:
        found += [f"/v1/training-jobs/{job}{part}" for part in ("", "/attempts", "/metrics", "/events")]
    return found


def answers(http: httpx.Client, paths: list[str]) -> dict[str, Answer]:
    """The status of each address, and the stable part of its body."""
    for model in MODELS:  # disables cached responses
        http.post(f"/v2/repository/models/{model}/unload")
    return {address: _answer(http, address) for address in paths}


def _answer(http: httpx.Client, address: str) -> Answer:
    if address.startswith("POST "):
        rows = [[0.5], [0.25]] if "/line" in address else ROWS
        answer = http.post(address.removeprefix("POST "), json={"instances": rows})
    else:
        answer = http.get(address)
    if address in WITHOUT_BODY and answer.status_code == 200:
        return 200, None
    if "json" not in answer.headers.get("content-type", ""):
        return answer.status_code, hashlib.sha256(answer.content).hexdigest()
    try:
        body = answer.json()
    except ValueError:
        return answer.status_code, answer.text
    if address == AUDIT and answer.status_code == 200:  # the requests of this test have lines, too
        return 200, {"lines": sorted(json.dumps(line) for line in body["data"] if line["changes"])}
    if isinstance(body, dict):
        body.pop("request_id", None)
    return answer.status_code, body


def judge(before: Answer, after: Answer) -> str:
    """What is wrong with a response; empty if it is as before or reports damage."""
    status, body = after
    if after == before:
        return ""
    if status >= 500:
        reported = isinstance(body, dict) and (body.get("code") in DAMAGES or SAYS_SO.search(str(body.get("error"))))
        return "" if status == 503 and reported else f"{status} {json.dumps(body)[:300]}"
    if status != 200 or before[0] != 200:
        return f"{before[0]} has become {status}: {json.dumps(body)[:300]}"
    return "" if _says_damage(before[1], body) else f"it says something else: {_difference(before[1], body)}"


def _says_damage(before: Any, after: Any) -> bool:
    """Whether the two are equal but for what is marked as damaged."""
    if before == after:
        return True
    if isinstance(after, dict):
        if _damages(after) > _damages(before):
            return True
        same = isinstance(before, dict) and before.keys() == after.keys()
        return same and all(_says_damage(before[name], after[name]) or _is_less(name, before, after) for name in after)
    if isinstance(after, list) and isinstance(before, list) and len(before) == len(after):
        return all(_says_damage(one, other) for one, other in zip(before, after, strict=True))
    return False


def _damages(item: Any) -> set[str]:
    """The damage that an item of a list or a response reports: as its error, the cause of its end, or in place of its
    content."""
    if not isinstance(item, dict):
        return set()
    data = item.get("data")
    errors = [item.get("error"), item.get("cause"), data.get("error") if isinstance(data, dict) else None]
    return {each["code"] for each in errors if isinstance(each, dict) and each.get("code") in DAMAGES}


def _is_less(name: str, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a list has fewer items: damaged aliases are missing in a version, but their model reports them; damaged lines
    of the audit log are left out here. That others are missing as well is not detected."""
    return name in ("aliases", "lines") and isinstance(after[name], list) and set(after[name]) < set(before[name])


def _difference(before: Any, after: Any) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        return "; ".join(f"{name}: {_difference(before.get(name), after.get(name))}" for name in names)[:500]
    return f"{json.dumps(before)[:200]} -> {json.dumps(after)[:200]}"
