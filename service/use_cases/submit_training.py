"""Submit a training: check the spec, fill it in, and give it to the journal."""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from model_store import Store, Version
from model_store.errors import InvalidName, NotFound, VersionNotFound
from model_store.names import check_name
from service.jobs.destinations import NOWHERE, Destinations
from service.jobs.job import Job
from service.jobs.journal import Journal
from service.use_cases.open_model import open_model
from service.workflow import inspection, optimizers
from service.workflow.data.dataset import DatasetData
from service.workflow.data.schema import Schema
from service.workflow.encode import MOST_CATEGORIES
from service.workflow.errors import Fault, InvalidSpec
from service.workflow.model import Model, draft_network
from service.workflow.resolve import Resolved, resolve
from service.workflow.signature import Signature
from service.workflow.spec import TrainingSpec, parse
from service.workflow.specification import nearest, shown

ALL = range(MOST_CATEGORIES + 1)  # stands for values too many to have been kept


@dataclass(frozen=True)
class Plan:
    """What a spec comes to: everything known before the training begins."""

    spec: TrainingSpec
    signature: Signature
    rows: dict[str, int]
    parameters: int
    warnings: list[str]


@dataclass(frozen=True)
class Limits:
    """What the operator allows a training to take."""

    parameters: int
    memory_bytes: int
    webhooks: Destinations = NOWHERE


def plan(store: Store, spec: TrainingSpec, limits: Limits) -> Plan:
    """The resolved spec, its sizes, and what may be surprising about it.

    Raises:
        InvalidSpec: what is wrong, and what would be right.
    """
    _check_model_name(spec.model_name)
    _check_webhook(spec, limits.webhooks)
    spec, schema = _pin(store, spec)
    found = resolve(spec, schema)
    network = draft_network(found.spec, found.signature, found.columns)
    parameters = inspection.count(network)
    _check_limits(found, parameters, limits)
    if (reason := optimizers.fits(found.spec.optimizer, network)) is not None:
        raise InvalidSpec(Fault("/optimizer/name", reason))
    if found.spec.initial is not None:
        found = _continued(store, found, found.spec.initial)
    return Plan(found.spec, found.signature, found.rows, parameters, _warnings(found, schema))


def submit(
    store: Store,
    journal: Journal,
    value: object,
    *,
    key: str | None,
    limits: Limits,
    traceparent: str | None = None,
) -> tuple[Job, bool]:
    """A queued job for the spec, and whether it is new: the same idempotency key and spec give the same job again.
    `traceparent` leads to the request that asked for it, if there are traces.

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
    planned = plan(store, spec, limits)
    context: dict[str, Any] = {
        "signature": planned.signature.model_dump(mode="json"),
        "since": _newest(store, spec.model_name),
        "rows": planned.rows,
    }
    if traceparent is not None:
        context["traceparent"] = traceparent
    return journal.submit(
        spec.model_name, planned.spec.to_json(), context, priority=spec.priority, idempotency=idempotency
    )


def _check_model_name(name: str) -> None:
    try:
        check_name(name)
    except InvalidName as error:
        raise InvalidSpec(Fault("/model_name", str(error))) from None


def _check_webhook(spec: TrainingSpec, allowed: Destinations) -> None:
    if spec.webhook is not None and not allowed.allow(spec.webhook.url):
        known = f"the hosts that this service's operator allows: {allowed}"
        none = "this service sends no webhooks; its operator allows hosts with MODELWRIGHT_WEBHOOK_HOSTS"
        message = f"the URL's host is not one of {known}" if allowed.allowed else none
        raise InvalidSpec(Fault("/webhook/url", message))


def _pin(store: Store, spec: TrainingSpec) -> tuple[TrainingSpec, Schema]:
    """The spec with the data set's version filled in, and the schema of its data."""
    data = spec.data
    if not isinstance(data, DatasetData):
        return spec, data.schema_of_table()
    datasets = store.datasets
    try:
        version = datasets.latest(data.dataset) if data.version is None else datasets.get(data.dataset, data.version)
    except VersionNotFound:
        known = ", ".join(map(str, datasets.numbers(data.dataset)))
        raise InvalidSpec(Fault("/data/version", f"there is no version {data.version}; known: {known}")) from None
    except (NotFound, InvalidName):
        names = datasets.names()
        hint = nearest(data.dataset, names) if names else "there are none yet: PUT one to /v1/datasets/{name}"
        raise InvalidSpec(Fault("/data/dataset", f"there is no data set {shown(data.dataset)}; {hint}")) from None
    pinned = spec.model_copy(update={"data": data.model_copy(update={"version": version.number})})
    return pinned, Schema.model_validate(version.manifest["schema"])


def _continued(store: Store, found: Resolved, initial: str) -> Resolved:
    """The spec with the initial version's number filled in, and that version's signature, whose categories go on to be the
    model's."""
    version, model, signature = _open_initial(store, initial)
    ours, theirs = found.signature, signature
    if _bare(ours) != _bare(theirs):
        message = f"{initial} has other inputs, outputs or task than this training"
        raise InvalidSpec(Fault("/initial", message))
    columns = model.preprocessing.width if model.preprocessing is not None else found.columns
    network = draft_network(found.spec, theirs, columns)
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in model.network.state_dict().items()}
    for name in wanted | given:
        if wanted.get(name) != given.get(name):
            shapes = f"{list(given.get(name, ()))} there and {list(wanted.get(name, ()))} here"
            raise InvalidSpec(Fault("/initial", f"{initial} is of another shape: {name} is {shapes}"))
    spec = found.spec.model_copy(update={"initial": f"{version.name}@{version.number}"})
    return Resolved(spec, theirs, found.rows, columns)


def _open_initial(store: Store, initial: str) -> tuple[Version, Model, Signature]:
    name, _, reference = initial.partition("@")
    try:
        version = store.resolve(name, reference)
    except (NotFound, InvalidName) as error:
        raise InvalidSpec(Fault("/initial", str(error))) from None
    return version, *open_model(store, version)


def _bare(signature: Signature) -> Signature:
    """Without the categories, which only a training finds out."""
    inputs = [each.model_copy(update={"categories": None}) for each in signature.inputs]
    return signature.model_copy(update={"inputs": inputs})


def _check_limits(found: Resolved, parameters: int, limits: Limits) -> None:
    if parameters > limits.parameters:
        message = f"the model would have {parameters} parameters; this service allows {limits.parameters}"
        raise InvalidSpec(Fault("/model", message))
    # Raw and encoded features; weights, gradients and what most optimizers keep of them; all in float32.
    needed = 4 * (2 * sum(found.rows.values()) * found.columns + 4 * parameters)
    if needed > limits.memory_bytes:
        message = f"the training would need about {needed} bytes of memory; this service allows {limits.memory_bytes}"
        raise InvalidSpec(Fault("/data" if 16 * parameters < needed // 2 else "/model", message))


def _newest(store: Store, name: str) -> int:
    """The number that every version of a job submitted now will be above."""
    try:
        return store.models.latest_number(name)
    except NotFound:
        return 0


def _warnings(found: Resolved, schema: Schema) -> list[str]:
    made = []
    spec, rows = found.spec, found.rows
    if not rows["test"] and not rows["validation"]:
        made.append("there is no test and no validation part: the metrics are those of the rows it learned from")
    if spec.split is not None and spec.split.group is not None:
        made.append("whole groups go to one part: the rows of each part are about so many")
    if spec.training.max_seconds is not None:
        made.append("with max_seconds the same spec need not give the same bits: it stops by the clock")
    for each in found.signature.inputs:
        column = schema.column(each.name)
        if each.type == "category" and column is not None and len(column.values or ALL) > MOST_CATEGORIES:
            text = f"{each.name!r} has more than {MOST_CATEGORIES} different values, and only the most frequent are told apart"
            made.append(f"{text}; leave it out of `features` if it only names the rows")
    if any(each.type == "category" for each in found.signature.inputs):
        made.append("the parameters are those of all categories in the data; training rows without some give fewer")
    return made
