"""Submit a training: check the spec, fill it in, and give it to the journal."""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from model_store import Store
from model_store.errors import InvalidName, NotFound, VersionNotFound
from model_store.names import check_name
from service.jobs.job import Job
from service.jobs.journal import Journal
from service.workflow import inspection
from service.workflow.data.dataset import DatasetData
from service.workflow.data.schema import Schema
from service.workflow.errors import Fault, InvalidSpec
from service.workflow.model import draft_network
from service.workflow.resolve import resolve, schema_of
from service.workflow.signature import Signature
from service.workflow.spec import TrainingSpec, parse
from service.workflow.specification import nearest, shown
from service.workflow.split import sizes


@dataclass(frozen=True)
class Plan:
    """What a spec comes to: everything known before the training begins."""

    spec: TrainingSpec
    signature: Signature
    rows: dict[str, int]
    parameters: int
    warnings: list[str]


def plan(store: Store, spec: TrainingSpec, max_parameters: int) -> Plan:
    """The resolved spec, its sizes, and what may be surprising about it.

    Raises:
        InvalidSpec: what is wrong, and what would be right.
    """
    _check_model_name(spec.model_name)
    schema = None
    if isinstance(spec.data, DatasetData):
        spec, schema = _pin(store, spec, spec.data)
    schema = schema_of(spec, schema)
    resolved, signature = resolve(spec, schema)
    assert resolved.split is not None  # noqa: S101 - resolve has filled it in
    rows = sizes(resolved.split, schema.rows)
    parameters = inspection.count(draft_network(resolved, signature))
    if parameters > max_parameters:
        message = f"the model would have {parameters} parameters; this service allows {max_parameters}"
        raise InvalidSpec(Fault("/model", message))
    return Plan(resolved, signature, rows, parameters, _warnings(resolved, rows))


def submit(store: Store, journal: Journal, value: object, *, key: str | None, max_parameters: int) -> tuple[Job, bool]:
    """A queued job for the spec, and whether it is new: the same idempotency key and spec give the same job again.

    Raises:
        InvalidSpec: what is wrong, and what would be right.
        IdempotencyMismatch: the key came with another spec before.
    """
    spec = parse(value)
    idempotency = None
    if key is not None:
        digest = hashlib.sha256(orjson.dumps(spec.to_json(), option=orjson.OPT_SORT_KEYS)).hexdigest()
        idempotency = (key, digest)
        if (known := journal.recall(key, digest)) is not None:
            return known, False
    planned = plan(store, spec, max_parameters)
    context: dict[str, Any] = {
        "signature": planned.signature.model_dump(mode="json"),
        "since": _newest(store, spec.model_name),
    }
    return journal.submit(
        spec.model_name, planned.spec.to_json(), context, priority=spec.priority, idempotency=idempotency
    )


def _check_model_name(name: str) -> None:
    try:
        check_name(name)
    except InvalidName as error:
        raise InvalidSpec(Fault("/model_name", str(error))) from None


def _pin(store: Store, spec: TrainingSpec, data: DatasetData) -> tuple[TrainingSpec, Schema]:
    """The spec with the data set's version filled in, and that version's schema."""
    try:
        version = (
            store.datasets.latest(data.dataset)
            if data.version is None
            else store.datasets.get(data.dataset, data.version)
        )
    except VersionNotFound:
        known = ", ".join(map(str, store.datasets.numbers(data.dataset)))
        raise InvalidSpec(Fault("/data/version", f"there is no version {data.version}; known: {known}")) from None
    except (NotFound, InvalidName):
        names = store.datasets.names()
        hint = nearest(data.dataset, names) if names else "there are none yet: PUT one to /v1/datasets/{name}"
        raise InvalidSpec(Fault("/data/dataset", f"there is no data set {shown(data.dataset)}; {hint}")) from None
    pinned = spec.model_copy(update={"data": data.model_copy(update={"version": version.number})})
    return pinned, Schema.model_validate(version.manifest["schema"])


def _newest(store: Store, name: str) -> int:
    """The number that every version of a job submitted now will be above."""
    try:
        return store.models.latest_number(name)
    except NotFound:
        return 0


def _warnings(spec: TrainingSpec, rows: dict[str, int]) -> list[str]:
    made = []
    batch = spec.training.batch_size
    if isinstance(batch, int) and batch > rows["train"]:
        made.append(f"batch_size {batch} is more than the {rows['train']} training rows: each epoch is one full batch")
    if not rows["test"] and not rows["validation"]:
        made.append("there is no test and no validation part: the metrics are those of the rows it learned from")
    return made
