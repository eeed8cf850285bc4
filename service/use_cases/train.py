"""Train: one attempt of a job, in a process of its own, from the spec to a published version."""

import errno
import os
import platform
from pathlib import Path
from typing import Any

import orjson
import torch

from model_store import Store
from model_store.errors import NoSpace, NotFound
from service import __version__
from service.jobs.attempt import Attempt
from service.jobs.errors import AttemptFailed
from service.use_cases.checkpoints import Checkpoints
from service.use_cases.open_model import STATE_DICT, open_model
from service.workflow import inspection
from service.workflow.data.dataset import DatasetData
from service.workflow.data.read import read
from service.workflow.data.schema import Schema
from service.workflow.data.table import Table
from service.workflow.errors import CheckpointUnfit, InvalidData, TrainingDiverged
from service.workflow.history import History
from service.workflow.learn import Learned, learn
from service.workflow.model import Model
from service.workflow.models import install as install_models
from service.workflow.save_and_load import save
from service.workflow.signature import Signature
from service.workflow.spec import TrainingSpec, parse
from service.workflow.split import PARTS
from service.workflow.split import columns as split_columns
from service.workflow.state import State

POINTS = "points.json"
HISTORY = "history.json"
DRAWN = 2000  # epochs of a version's learning curve
NOT_THE_MODELS = {"model_name", "webhook"}  # of a spec: who shares a version does not share these
DATA = "data"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def train(attempt: Attempt) -> dict[str, Any]:
    """The trainer's entry: the job's `result`.

    Raises:
        AttemptFailed: with the code and detail that the job will show.
        AttemptSuperseded: the job was taken from this attempt before it published.
        AttemptLeft: it was asked to leave; another attempt goes on where it has saved.
    """
    try:
        return _train(attempt)
    except TrainingDiverged as error:
        raise AttemptFailed("training_diverged", str(error)) from error
    except InvalidData as error:
        raise AttemptFailed("invalid_data", str(error)) from error
    except MemoryError as error:
        raise AttemptFailed("out_of_memory", "the training needs more memory than there is") from error
    except NoSpace as error:
        raise AttemptFailed("no_space", "no space is left to write the version") from error
    except OSError as error:
        if error.errno in NO_SPACE:
            raise AttemptFailed("no_space", "no space is left to train in") from error
        raise


def _train(attempt: Attempt) -> dict[str, Any]:
    job = attempt.job
    install_models(job["kinds"])
    spec, signature = parse(job["spec"]), Signature.model_validate(job["context"]["signature"])
    store, since = Store.open(Path(job["store"])), job["context"]["since"]
    if (done := store.models.published(spec.model_name, job["id"], since=since)) is not None:
        return {"model_name": spec.model_name, "version": done.number}  # the attempt before died after publishing
    torch.set_num_threads(job["threads"])
    checkpoints = Checkpoints(attempt)
    attempt.stage("load_data")
    table, data = _load(store, spec, signature, Path(job["folder"]))
    learned = _learn(attempt, checkpoints, spec, signature, table, _initial(store, spec))
    attempt.stage("publish")
    files = _write(Path(job["folder"]), learned, checkpoints.history)
    manifest = _manifest(spec, learned) | {
        "data": {"rows": len(table), **data},
        "training": {"epochs": checkpoints.history.epochs, "seconds": round(checkpoints.seconds, 3)},
        "job": job["id"],
    }
    attempt.ask_to_publish()
    version = store.models.publish(spec.model_name, manifest, files, key=job["id"], since=since)
    return {"model_name": version.name, "version": version.number}


def _learn(
    attempt: Attempt,
    checkpoints: Checkpoints,
    spec: TrainingSpec,
    signature: Signature,
    table: Table,
    initial: Model | None,
) -> Learned:
    """Learns, from where an attempt before has saved if there was one."""

    def report(epoch: int, losses: dict[str, float]) -> None:
        checkpoints.history.add(epoch, losses)
        attempt.epoch(epoch, losses)

    def go_on(saved: State | None) -> Learned:
        rows = attempt.job["context"]["rows"]["train"]
        attempt.expect(spec.training.epochs or 0, rows, done=checkpoints.history.epochs)
        # What the attempt before has said last may have been lost with the service that heard it.
        for epoch, losses in checkpoints.history.after(attempt.job.get("reported", 0)):
            attempt.epoch(epoch, losses)
        after_step, stage = checkpoints.after_step, attempt.stage
        return learn(spec, signature, table, report, initial, after_step=after_step, saved=saved, stage=stage)

    try:
        return go_on(checkpoints.resume())
    except CheckpointUnfit:
        checkpoints.forget()
        return go_on(None)


def _load(store: Store, spec: TrainingSpec, signature: Signature, scratch: Path) -> tuple[Table, dict[str, Any]]:
    """The table, and what the manifest says of where it came from."""
    data = spec.data
    assert spec.split is not None  # noqa: S101 - a resolved spec has one
    if not isinstance(data, DatasetData):
        wanted = split_columns(spec.split, data.schema_of_table()) | signature.wanted()
        return data.load(wanted), {"digest": data.fingerprint()}
    try:
        version = store.datasets.get(data.dataset, data.version or 0)
        path = store.datasets.path(version, DATA)
    except NotFound:
        raise AttemptFailed("dataset_deleted", f"the data set {data.dataset!r} was deleted") from None
    schema = Schema.model_validate(version.manifest["schema"])
    wanted = split_columns(spec.split, schema) | signature.wanted()
    about = {"digest": version.manifest["digest"], "dataset": data.dataset, "version": version.number}
    return read(path, version.manifest["media_type"], schema, wanted, scratch), about


def _initial(store: Store, spec: TrainingSpec) -> Model | None:
    if spec.initial is None:
        return None
    name, _, reference = spec.initial.partition("@")
    try:
        return open_model(store, store.resolve(name, reference))[0]
    except NotFound:
        raise AttemptFailed("invalid_data", f"{spec.initial}, which this training starts from, was deleted") from None


def _write(folder: Path, learned: Learned, history: History) -> dict[str, Path]:
    files = {name: folder / name for name in (STATE_DICT, POINTS, HISTORY)}
    save(learned.model, files[STATE_DICT])
    files[POINTS].write_text(learned.points.model_dump_json())
    files[HISTORY].write_bytes(orjson.dumps(history.series(DRAWN)))
    return files


def _manifest(spec: TrainingSpec, learned: Learned) -> dict[str, Any]:
    digests = learned.split.digests()
    return {
        "format": 1,
        "spec": {name: value for name, value in spec.to_json().items() if name not in NOT_THE_MODELS},
        "signature": learned.signature.model_dump(mode="json", exclude_none=True),
        "metrics": learned.evaluation.metrics,
        "confusion": learned.evaluation.confusion,
        "split": {name: {"rows": len(learned.split.part(name)), "digest": digests[name]} for name in PARTS},
        "parameters": inspection.count(learned.model.network),
        "environment": {
            "modelwright": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "platform": f"{platform.system()} {platform.machine()}",
            "threads": torch.get_num_threads(),
            "processors": os.cpu_count(),
        },
    }
