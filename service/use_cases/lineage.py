"""The lineage of a version: the data, the job and the versions that it comes from, its exports, and the versions that come from
it. References to data sets and versions name those of the service that trained it. For a version that was imported they may
name others here, so digests are compared."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model_store import Store, Version
from model_store.errors import Corrupt, InvalidName, MadeByNewer, NotFound, StoreError
from service.jobs.errors import JobNotFound, JobsError
from service.jobs.journal import Journal
from service.model_reference import ModelReference
from service.use_cases.artifacts import Artifacts
from service.use_cases.attempt_store import STATE_DICT
from service.workflow.exports import EXPORTS

MOST_ANCESTORS = 50  # whose manifests are read
MOST_SEARCHED = 200  # manifests that are read to find descendants
MOST_SECONDS = 1.0  # of that search

Node = dict[str, Any]


def trace(store: Store, journal: Journal, exports: Artifacts, version: Version) -> Node:
    """The lineage of a version, as the API answers it (`api/schemas/lineage.py`). Damaged and deleted parts are described as
    such."""
    known = _Known(store, journal)
    initial, whole = _ancestors(known, version)
    derived, searched = _descendants(store, version)
    return {
        "name": version.name,
        "version": version.number,
        "digest": version.digest,
        "signed": _signed(store, version),
        **known.sources(version),
        "initial": initial,
        "initial_complete": whole,
        "exports": [*_exports(exports, version)],
        "derived": derived,
        "derived_complete": searched,
    }


def _signed(store: Store, version: Version) -> bool | None:
    """Whether the version has a signature, which is not verified; None if that cannot be read."""
    try:
        return store.models.signature(version) is not None
    except StoreError:
        return None


@dataclass(frozen=True)
class _Known:
    """What this service has."""

    store: Store
    journal: Journal

    def sources(self, version: Version) -> Node:
        """The data and the job of a version."""
        here, manifest = trained_here(self.store, version), version.manifest
        spec, recorded = manifest["spec"]["data"], manifest.get("data", {})
        data: Node = {
            "kind": spec.get("kind"),
            "dataset": spec.get("dataset"),
            "version": recorded.get("version"),
            "digest": recorded.get("digest"),
        }
        data["state"] = "kept" if data["dataset"] is None else self._dataset_state(data, here=here)
        job = manifest.get("job")
        return {"data": data, "job": None if job is None else {"id": job, "state": self._job_state(job, here=here)}}

    def _dataset_state(self, data: Node, *, here: bool) -> str:
        try:
            found = self.store.datasets.get(data["dataset"], data["version"])
        except (StoreError, TypeError) as error:
            return _state(error, here=here)
        return "kept" if found.manifest.get("digest") == data["digest"] else "elsewhere"

    def _job_state(self, job: str, *, here: bool) -> str:
        try:
            return "damaged" if self.journal.outline(job).damaged else "kept"
        except JobNotFound:
            return "deleted" if here else "elsewhere"
        except JobsError:
            return "unknown"


def trained_here(store: Store, version: Version) -> bool:
    """Whether this service has trained the version, rather than imported it."""
    try:
        record = store.models.record(version.name, version.number)
    except StoreError:
        return False
    return record is not None and record.key is not None and record.key == version.manifest.get("job")


def _ancestors(known: _Known, version: Version) -> tuple[list[Node], bool]:
    """The version that this one started from, the one that that started from, and so on; and whether these are all."""
    chain: list[Node] = []
    while (reference := _initial(version)) is not None:
        if len(chain) == MOST_ANCESTORS:
            return chain, False
        node, found = _ancestor(known, version, *reference)
        chain.append(node)
        if found is None:
            break
        version = found
    return chain, True


def _ancestor(known: _Known, version: Version, name: str, number: int) -> tuple[Node, Version | None]:
    here, recorded = trained_here(known.store, version), version.manifest.get("initial", {}).get("digest")
    node: Node = {"name": name, "version": number, "digest": recorded, "state": "elsewhere", "data": None, "job": None}
    try:
        found = known.store.models.get(name, number)
    except StoreError as error:
        return node | {"state": _state(error, here=here)}, None
    # Earlier versions did not record the digest.
    if found.digest == recorded or (recorded is None and here):
        return node | {"digest": found.digest, "state": "kept", **known.sources(found)}, found
    return node, None


def _initial(version: Version) -> tuple[str, int] | None:
    reference = version.manifest["spec"].get("initial")
    parsed = ModelReference.parse(reference) if isinstance(reference, str) else ModelReference("")
    return None if parsed.number is None else (parsed.name, parsed.number)


def _state(error: Exception, *, here: bool) -> str:
    """What is known of something that could not be read."""
    if isinstance(error, NotFound):
        return "deleted" if here else "elsewhere"
    if isinstance(error, Corrupt | MadeByNewer):
        return "damaged"
    return "elsewhere" if isinstance(error, InvalidName | TypeError) else "unknown"


def _descendants(store: Store, version: Version) -> tuple[list[Node], bool]:
    """The versions that started from this one, as far as the search goes; and whether it has covered all."""
    found, end = list[Node](), time.monotonic() + MOST_SECONDS
    whole = True
    for searched, (name, number) in enumerate(_candidates(store, version)):
        if searched == MOST_SEARCHED or time.monotonic() > end:
            return found, False
        try:
            each = store.models.get(name, number)
            if _initial(each) == (version.name, version.number) and _is_start(store, version, each):
                found.append({"name": name, "version": number, "digest": each.digest, "state": "kept"})
        except NotFound:
            continue
        except (StoreError, KeyError, AttributeError):
            whole = False
    return found, whole


def _is_start(store: Store, version: Version, of: Version) -> bool:
    recorded = of.manifest.get("initial", {}).get("digest")
    return bool(recorded == version.digest if recorded is not None else trained_here(store, of))


def _candidates(store: Store, version: Version) -> Iterator[tuple[str, int]]:
    """First the later versions of the same model, as most trainings that continue are, then those of other models."""
    yield from ((version.name, number) for number in store.models.numbers(version.name) if number > version.number)
    live = store.models.live()
    for name in live.names():
        if name != version.name:
            yield from ((name, number) for number in live.numbers(name))


def _exports(exports: Artifacts, version: Version) -> Iterator[Node]:
    """The file that is kept of every version, and those that were made of it and are still cached."""
    stored: Mapping[str, Any] = version.manifest["files"][STATE_DICT]
    for name, about in EXPORTS.items():
        if about.write is None:
            yield {"name": name, "digest": stored["sha256"], "bytes": stored["bytes"]}
        elif (made := exports.made(version, name, about.suffix)) is not None:
            yield {"name": name, "digest": made[0], "bytes": made[1]}
