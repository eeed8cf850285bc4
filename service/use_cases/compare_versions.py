"""Compare two versions of a model: what they were made of, how good they are, and how far apart their tensors are."""

import math
from contextlib import ExitStack
from typing import Any

from model_store import Store, Version
from service.use_cases.attempt_store import STATE_DICT
from service.use_cases.cancellation import check_cancelled
from service.workflow.differences import differences
from service.workflow.distances import distances


def compare(store: Store, name: str, a: str, b: str) -> dict[str, Any]:
    """The two versions side by side, as the API answers it (`api/schemas/comparison.py`). Of their tensors a small piece is in
    memory at a time.

    Args:
        store: where they are.
        name: the model.
        a, b: a number, an alias or `latest`.

    Raises:
        NameNotFound, VersionNotFound, InvalidName: there is no such model or version.
        VersionCorrupt: one of them is damaged.
        Cancelled: the client has disconnected.
    """
    first, second = store.resolve(name, a), store.resolve(name, b)
    ours, theirs = first.manifest, second.manifest
    return {
        "name": name,
        "a": _about(first),
        "b": _about(second),
        "spec": _differences(ours.get("spec"), theirs.get("spec")),
        "signature": _differences(ours.get("signature"), theirs.get("signature")),
        "data": _differences(_data(first), _data(second)),
        "metrics": _metrics(first, second),
        "parameters": _parameters(store, first, second),
    }


def _about(version: Version) -> dict[str, Any]:
    return {"version": version.number, "digest": version.digest, "created_at": version.created_at}


def _differences(a: Any, b: Any) -> dict[str, Any]:
    found, whole = differences(a, b)
    return {"differences": found, "complete": whole}


def _data(version: Version) -> dict[str, Any]:
    return {name: version.manifest.get(name) for name in ("data", "split", "ranges")}


def _metrics(first: Version, second: Version) -> dict[str, Any]:
    found = [version.manifest.get("metrics", {}) for version in (first, second)]
    parts = dict.fromkeys(part for metrics in found for part in metrics)
    return {
        part: {
            name: {"a": found[0].get(part, {}).get(name), "b": found[1].get(part, {}).get(name)}
            for name in dict.fromkeys(name for metrics in found for name in metrics.get(part, {}))
        }
        for part in parts
    }


def _parameters(store: Store, first: Version, second: Version) -> dict[str, Any]:
    with ExitStack() as files:
        a, b = (files.enter_context(store.models.local_file(version, STATE_DICT)) for version in (first, second))
        tensors = [*distances(a, b, check_cancelled)]
    compared = [each["l2"] for each in tensors]
    whole = None if None in compared else math.hypot(*compared)
    return {
        "a": first.manifest.get("parameters"),
        "b": second.manifest.get("parameters"),
        "l2": whole if whole is None or math.isfinite(whole) else None,
        "tensors": tensors,
    }
