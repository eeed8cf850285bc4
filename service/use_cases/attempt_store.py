"""The store's side of an attempt: what it reads is brought to the local disk before it trains, and what it has written is
published afterwards. Neither needs torch, so that a process without it can do both for an attempt that has no access to the
store."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from model_store import Store, Version
from model_store.collection import Collection
from model_store.errors import Corrupt, NotFound
from service.jobs.errors import AttemptFailed, AttemptPutOff
from service.model_reference import ModelReference
from service.use_cases.storage_failures import put_off_storage_errors
from service.workflow.spec_base import shown

DATA = "data"  # the uploaded file in a version of a data set
STATE_DICT = "state_dict.safetensors"

Input = dict[
    str, Any
]  # a version: its `name`, `version`, `digest`, `manifest`, and the `path` of the file that is read


def fetch(store: Store, spec: Mapping[str, Any], files: ExitStack) -> dict[str, Input]:
    """The versions that a training reads, as JSON: its `dataset` and the `initial` model, as far as it has them.

    Args:
        store: where they are.
        spec: the resolved spec as JSON.
        files: keeps their files on the local disk until it is closed.

    Raises:
        AttemptFailed: one of them was deleted, or is damaged.
        NoSpace, Unavailable: the store, or the local disk, cannot be used now.
    """
    inputs, data, initial = {}, spec["data"], spec.get("initial")
    if "dataset" in data:
        try:
            version = store.datasets.get(data["dataset"], data["version"])
            inputs["dataset"] = _input(store.datasets, version, DATA, files)
        except NotFound:
            detail = f"the data set {shown(data['dataset'])} was deleted"
            raise AttemptFailed("dataset_deleted", detail) from None
        except Corrupt as error:
            raise AttemptFailed("invalid_data", f"{error} Upload the data set again.") from error
    if initial is not None:
        name, number = ModelReference.parse(initial)
        try:
            version = store.resolve(name, number or "latest")
            inputs["initial"] = _input(store.models, version, STATE_DICT, files)
        except NotFound:
            detail = f"{initial}, which this training starts from, was deleted"
            raise AttemptFailed("invalid_data", detail) from None
        except Corrupt as error:
            raise AttemptFailed("invalid_data", f"this training starts from {initial}. {error}") from error
    return inputs


def find_published(store: Store, job: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of a job whose version an attempt before has published; None if there is no such version.

    Raises:
        NoSpace, Unavailable: the store cannot be used now.
    """
    name = job["spec"]["model_name"]
    done = store.models.published(name, job["id"], since=job["context"]["since"])
    return None if done is None else _result(done)


def publish(
    store: Store, job: Mapping[str, Any], manifest: Mapping[str, Any], files: Mapping[str, Path]
) -> dict[str, Any]:
    """Publishes the version of a job, once however often it is called; the job's result.

    Raises:
        AttemptPutOff: the store cannot be written now; it says whether it is certain that nothing was published.
    """
    name, since = job["spec"]["model_name"], job["context"]["since"]
    try:
        with put_off_storage_errors("the version cannot be written"):
            return _result(store.models.publish(name, manifest, files, key=job["id"], since=since))
    except AttemptPutOff as error:
        with put_off_storage_errors("the store cannot be used"):  # then it is not certain
            if (done := find_published(store, job)) is not None:
                return done
        raise AttemptPutOff(error.code, error.detail, unpublished=True) from error


def _input(collection: Collection, version: Version, file: str, files: ExitStack) -> Input:
    path = files.enter_context(collection.local_file(version, file))
    about = {"name": version.name, "version": version.number, "digest": version.digest, "manifest": version.manifest}
    return about | {"path": str(path)}


def _result(version: Version) -> dict[str, Any]:
    return {"model_name": version.name, "version": version.number}
