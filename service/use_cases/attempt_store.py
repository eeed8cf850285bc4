"""The store's side of an attempt: what it reads is brought to the local disk before it trains, and what it has written is
published afterwards. The service does both, without torch, so that attempts have no access to the store."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from model_store import Store, Version
from model_store.collection import Collection
from model_store.errors import Corrupt, NotFound
from model_store.summaries import NO_SUMMARIES, AllFields
from service.jobs.errors import AttemptFailed, AttemptPutOff
from service.jobs.job import Job
from service.model_reference import ModelReference
from service.signatures.errors import NotTrusted
from service.signatures.signatures import Signatures
from service.use_cases.storage_failures import put_off_storage_errors
from service.workflow.spec_base import shown

DATA = "data"  # the uploaded file in a version of a data set
STATE_DICT = "state_dict.safetensors"
HISTORY = "history.json"  # the series of its epochs
TENSORS = "tensors"  # the summary of that file

# A version: its `name`, `version`, `digest`, `manifest`, and the `path` of the file that is read.
Input = dict[str, Any]


class AttemptStore:
    """What the runner does for its attempts (`jobs/store_requests.py`). From any thread.

    Args:
        store: of models and data sets.
        signatures: signs what is published, and verifies the models that trainings start from; None does neither.
    """

    def __init__(self, store: Store, signatures: Signatures | None = None) -> None:
        self._store = store
        self._signatures = signatures

    def fetch(self, job: Job, files: ExitStack) -> dict[str, Any]:
        """The versions that the job reads, `dataset` and `initial`, as far as it has them; or `published`, the job's result, if
        an attempt before died after it had published.

        Args:
            job: of the attempt.
            files: keeps their files on the local disk until it is closed.

        Raises:
            AttemptFailed: one of them was deleted, is damaged, or is a model without the signature that is required.
            AttemptPutOff: the store, or the local disk, cannot be used now.
        """
        with put_off_storage_errors("the store cannot be used"):
            if (done := self._published(job)) is not None:
                return {"published": done}
        with put_off_storage_errors("its data cannot be read"):
            return self._inputs(job.spec["data"], job.spec.get("initial"), files)

    def publish(
        self, job: Job, manifest: Mapping[str, Any], files: Mapping[str, Path], summaries: AllFields = NO_SUMMARIES
    ) -> dict[str, Any]:
        """Publishes the version of the job, once however often it is called; the job's result.

        Raises:
            AttemptPutOff: the store cannot be written now, or the version cannot be signed; it says whether it is certain that
                nothing was published.
        """
        name, since, models = job.spec["model_name"], job.context["since"], self._store.models
        sign = None if self._signatures is None else self._signatures.signer
        try:
            with put_off_storage_errors("the version cannot be written"):
                version, _ = models.publish_once(
                    name, manifest, files, key=job.id, since=since, summaries=summaries, sign=sign
                )
                return _result(version)
        except AttemptPutOff as error:
            with put_off_storage_errors("the store cannot be used"):  # then it is not certain
                if (done := self._published(job)) is not None:
                    return done
            raise AttemptPutOff(error.code, error.detail, unpublished=True) from error

    def _inputs(self, data: Mapping[str, Any], initial: str | None, files: ExitStack) -> dict[str, Input]:
        inputs = {}
        if "dataset" in data:
            deleted = f"the data set {shown(data['dataset'])} was deleted"
            with _as_failure("dataset_deleted", deleted, lambda damage: f"{damage} Upload the data set again."):
                version = self._store.datasets.get(data["dataset"], data["version"])
                inputs["dataset"] = _input(self._store.datasets, version, DATA, files)
        if initial is not None:
            name, number = ModelReference.parse(initial)
            deleted = f"{initial}, which this training starts from, was deleted"
            with _as_failure("invalid_data", deleted, lambda damage: f"this training starts from {initial}. {damage}"):
                version = self._store.resolve(name, number or "latest")
                if self._signatures is not None:
                    self._signatures.check_version(self._store.models, version)
                inputs["initial"] = _input(self._store.models, version, STATE_DICT, files)
        return inputs

    def _published(self, job: Job) -> dict[str, Any] | None:
        """The result of a job whose version was published before."""
        done = self._store.models.published(job.spec["model_name"], job.id, since=job.context["since"])
        return None if done is None else _result(done)


@contextmanager
def _as_failure(code: str, deleted: str, damaged: Callable[[Corrupt], str]) -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise AttemptFailed(code, deleted) from None
    except NotTrusted as error:
        raise AttemptFailed("invalid_data", f"this training may not start from it. {error}") from error
    except Corrupt as damage:
        raise AttemptFailed("invalid_data", damaged(damage)) from damage


def _input(collection: Collection, version: Version, file: str, files: ExitStack) -> Input:
    path = files.enter_context(collection.local_file(version, file))
    about = {"name": version.name, "version": version.number, "digest": version.digest, "manifest": version.manifest}
    return about | {"path": str(path)}


def _result(version: Version) -> dict[str, Any]:
    return {"model_name": version.name, "version": version.number}
