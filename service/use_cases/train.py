"""Train: one attempt of a job, in a process of its own, from the spec to a published version."""

import os
import platform
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import torch

from model_store.errors import Corrupt, Unavailable
from service import __version__
from service.jobs.attempt import Attempt
from service.jobs.errors import AttemptFailed, AttemptPutOff
from service.use_cases.attempt_store import HISTORY, STATE_DICT, TENSORS, Input
from service.use_cases.checkpoints import AttemptCheckpoints
from service.use_cases.open_model import open_files
from service.use_cases.storage_failures import NO_SPACE, put_off_storage_errors
from service.use_cases.stored_dataset import dataset_of
from service.use_cases.train_together import train_together
from service.use_cases.trial_figures import trial_figures
from service.workflow import inspection
from service.workflow.data.data_kind import LoadedData, StoredDataset
from service.workflow.data.schema import Schema
from service.workflow.data.table import RequestedColumn, Table
from service.workflow.errors import InvalidData, InvalidSpec, TrainingDiverged
from service.workflow.evaluation_spec import columns as evaluation_columns
from service.workflow.heap import trimmed_heap
from service.workflow.history import History
from service.workflow.learn import TrainingResult, learn
from service.workflow.look.available import available
from service.workflow.model import Model
from service.workflow.models import install as install_models
from service.workflow.save_and_load import save
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec, parse_resolved
from service.workflow.split import columns as split_columns
from service.workflow.state import State

POINTS = "points.json"
DRAWN = 2000  # epochs of a version's learning curve
NOT_THE_MODELS = {"model_name", "webhook"}  # fields of a spec that are not part of a version, and so not shared with it
NO_MEMORY = "can't allocate memory"  # in the message of torch's RuntimeError


def train(attempt: Attempt) -> dict[str, Any]:
    """The entry point of an attempt; returns the job's `result`.

    Raises:
        AttemptFailed: with the code and detail of the job's error.
        AttemptSuperseded: the job was cancelled or given to another attempt before this one published.
        AttemptLeft: the runner has requested it; another attempt resumes from the checkpoint.
        AttemptPutOff: the store, or a disk, cannot be used now.
    """
    try:
        with trimmed_heap():
            return _train(attempt)
    except TrainingDiverged as error:
        raise AttemptFailed("training_diverged", str(error)) from error
    except (InvalidData, InvalidSpec) as error:  # of a large model, which was not tried before it was taken
        raise AttemptFailed("invalid_data", str(error)) from error
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, MemoryError | torch.OutOfMemoryError) or NO_MEMORY in str(error)):
            raise
        raise AttemptFailed("out_of_memory", "the training needs more memory than there is") from error
    except OSError as error:
        if error.errno in NO_SPACE:
            raise AttemptPutOff("no_space", "no space is left to train in") from error
        raise


def _train(attempt: Attempt) -> dict[str, Any]:
    job = attempt.job
    install_models(job["kinds"])
    spec, signature = parse_resolved(job["spec"]), Signature.model_validate(job["context"]["signature"])
    torch.set_num_threads(job["threads"])
    checkpoints = AttemptCheckpoints(attempt)
    attempt.stage("load_data")
    fetched = attempt.fetch()
    if "published" in fetched:
        published: dict[str, Any] = fetched["published"]
        return published
    with put_off_storage_errors("its data cannot be read"):
        loaded = _load(fetched, spec, signature, Path(job["folder"]))
        initial = _initial(fetched["initial"]) if "initial" in fetched else None
    if "together" in job["context"]:
        return train_together(attempt, checkpoints, spec, signature, loaded.table)
    learned = _learn(attempt, checkpoints, spec, signature, loaded.table, initial)
    figures = trial_figures(spec, learned, checkpoints.history) if "sweep" in job["context"] else {}
    if not job["context"].get("publishes", True):
        return {"model_name": spec.model_name, "version": None, **figures}
    attempt.stage("publish")
    with put_off_storage_errors("its files cannot be written"):
        files = _write(Path(job["folder"]), learned, checkpoints.history)
        summary = inspection.summarize(
            spec, learned.signature, Path(job["folder"]) / STATE_DICT, learned.model.tensors()
        )
    manifest = _manifest(spec, learned) | {
        "data": {"rows": len(loaded.table), **loaded.source},
        "training": {"epochs": checkpoints.history.epochs, "seconds": round(checkpoints.seconds, 3)},
        "job": job["id"],
    }
    if "initial" in fetched:
        manifest["initial"] = {"digest": fetched["initial"]["digest"]}
    return attempt.publish(manifest, files, {TENSORS: summary.model_dump()}) | figures


def _learn(
    attempt: Attempt,
    checkpoints: AttemptCheckpoints,
    spec: ResolvedSpec,
    signature: Signature,
    table: Table,
    initial: Model | None,
) -> TrainingResult:
    """Learns, from the newest checkpoint if there is one."""

    def report(epoch: int, losses: dict[str, float]) -> None:
        checkpoints.history.add(epoch, losses)
        attempt.epoch(epoch, losses)

    def go_on(saved: State | None) -> TrainingResult:
        rows = attempt.job["context"]["rows"]["train"]
        attempt.expect(spec.training.epochs, rows, done=checkpoints.history.epochs)
        # The last reports of the attempt before may have been lost together with the service.
        for epoch, losses in checkpoints.history.after(attempt.job.get("reported", 0)):
            attempt.epoch(epoch, losses)
        after_step, stage, folder = checkpoints.after_step, attempt.stage, Path(attempt.job["folder"])
        return learn(
            spec, signature, table, report, initial, after_step=after_step, saved=saved, stage=stage, folder=folder
        )

    return checkpoints.resumed(go_on)


def _load(fetched: Mapping[str, Input], spec: ResolvedSpec, signature: Signature, scratch: Path) -> LoadedData:
    def columns(schema: Schema) -> Mapping[str, RequestedColumn]:
        return evaluation_columns(spec.evaluation, schema) | split_columns(spec.split, schema) | signature.wanted()

    def dataset(name: str, number: int | None) -> StoredDataset:
        found = fetched["dataset"]
        return dataset_of(found["version"], found["manifest"], lambda: nullcontext(Path(found["path"])))

    try:
        return spec.data.load(columns, dataset, scratch)
    except InvalidData as error:
        if isinstance(error.__cause__, OSError):  # the file was read when it was uploaded: the data are not at fault
            raise Unavailable(str(error)) from error
        raise


def _initial(found: Input) -> Model:
    try:
        return open_files(found["name"], found["version"], found["manifest"], Path(found["path"]))[0]
    except Corrupt as error:
        reference = f"{found['name']}@{found['version']}"
        raise AttemptFailed("invalid_data", f"this training starts from {reference}. {error}") from error


def _write(folder: Path, learned: TrainingResult, history: History) -> list[str]:
    save(learned.model, folder / STATE_DICT)
    (folder / POINTS).write_text(learned.points.model_dump_json())
    (folder / HISTORY).write_bytes(orjson.dumps(history.series(DRAWN)))
    return [STATE_DICT, POINTS, HISTORY]


def _manifest(spec: ResolvedSpec, learned: TrainingResult) -> dict[str, Any]:
    digests, importance, groups = learned.split.digests(), learned.importance, learned.slices
    confused, important = bool(learned.evaluation.confusion), importance is not None
    calibrated = {} if learned.calibration is None else {"calibration": asdict(learned.calibration)}
    sure = {} if learned.conformal is None else {"conformal": learned.conformal.model_dump(mode="json")}
    deciding = {} if learned.threshold is None else {"threshold": learned.threshold.model_dump(mode="json")}
    manifest = {
        "format": 1,
        "spec": {name: value for name, value in spec.to_json().items() if name not in NOT_THE_MODELS},
        "signature": learned.signature.model_dump(mode="json", exclude_none=True),
        "metrics": learned.evaluation.metrics,
        "confusion": learned.evaluation.confusion,
        **({} if groups is None else {"slices": groups.model_dump(mode="json", exclude_defaults=True)}),
        **({"warnings": learned.warnings} if learned.warnings else {}),
        "plots": available(learned.signature, learned.points, confused=confused, important=important),
        "ranges": learned.ranges,
        "baseline": learned.baseline,
        **calibrated,
        **sure,
        **deciding,
        "split": {name: {"rows": len(learned.split.part(name)), "digest": digests[name]} for name in digests},
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
    return manifest if importance is None else manifest | {"importance": importance.model_dump()}
