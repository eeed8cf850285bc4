"""Submit a training: check the spec, fill in its defaults, and add the job to the journal."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from torch import nn

from model_store import Store, Version
from model_store.errors import InvalidName, NotFound, VersionNotFound
from model_store.names import check_name
from service.jobs.errors import IdempotencyMismatch
from service.jobs.job import Job
from service.jobs.journal import Journal
from service.jobs.webhook_allowlist import NO_WEBHOOKS, WebhookAllowlist
from service.model_reference import ModelReference
from service.use_cases.cancellation import check_cancelled
from service.use_cases.open_model import open_model, recorded_spec
from service.use_cases.stored_dataset import find_dataset
from service.use_cases.training_warnings import warnings
from service.workflow import inspection, optimizers
from service.workflow.data.data_kind import StoredDataset
from service.workflow.encode import raw_dtype
from service.workflow.errors import invalid
from service.workflow.forward_cost import ForwardCost, measure
from service.workflow.freezing import check_freeze
from service.workflow.model import Model, check_step, meta_network
from service.workflow.models.input_shapes import FEATURES
from service.workflow.models.layers import LayersSpec
from service.workflow.preprocessing import network_inputs
from service.workflow.resolve import Resolved, resolve
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec, TrainingSpec, parse
from service.workflow.spec_base import nearest, shown

SMALL, LIGHT = 4 * 2**20, 10**7  # bytes, and products, of a model and a row: up to there a step is tried with numbers


@dataclass(frozen=True)
class Plan:
    """What is known of a training before it begins."""

    spec: ResolvedSpec
    signature: Signature
    rows: dict[str, int]
    parameters: int
    warnings: list[str]


@dataclass(frozen=True)
class Limits:
    """What the operator allows a training to take."""

    parameters: int
    memory_bytes: int
    model_bytes: int  # of its parameters, and of what it makes of one row
    webhooks: WebhookAllowlist = NO_WEBHOOKS


def plan(store: Store, spec: TrainingSpec, limits: Limits) -> Plan:
    """The resolved spec, its sizes, and warnings.

    Raises:
        InvalidSpec: the spec has errors; each says what is expected.
        Cancelled: the client has disconnected.
    """
    _check_model_name(spec.model_name)
    _check_webhook(spec, limits.webhooks)
    data, schema = spec.data.survey(partial(_find_dataset, store))
    check_cancelled()
    spec = spec.model_copy(update={"data": data})
    if spec.initial is not None and spec.model is None:
        spec = _with_initial_model(store, spec, spec.initial)
    found = resolve(spec, schema)
    check_cancelled()
    network = meta_network(found.spec, found.signature, found.inputs)
    check_cancelled()
    check_freeze(network, found.spec.training.freeze or ())
    parameters = inspection.count(network)
    _check_limits(found, parameters, limits)
    cost = _check_forward(found, network, parameters, limits)
    small = 4 * parameters + cost.bytes <= SMALL and cost.work <= LIGHT
    if small and isinstance(found.spec.model, LayersSpec):
        check_step(found.spec, found.signature, found.inputs)
    _check_batches(found, network)
    if (reason := optimizers.misfit(found.spec.optimizer, network)) is not None:
        raise invalid("/optimizer/name", reason)
    if found.spec.initial is not None:
        found = _continued(store, found, found.spec.initial)
    return Plan(found.spec, found.signature, found.rows, parameters, warnings(found, schema))


def submit(
    store: Store,
    journal: Journal,
    value: object,
    *,
    keys: Sequence[str] = (),
    limits: Limits,
    traceparent: str | None = None,
) -> tuple[Job, bool]:
    """A queued job for the spec, and whether it is new: the same idempotency key and spec give the same job again. The job is
    kept under the first of `keys`, and looked for under the others as well. `traceparent` is that of the request.

    Raises:
        InvalidSpec: the spec has errors; each says what is expected.
        IdempotencyMismatch: the key came with another spec before.
    """
    spec = parse(value)
    idempotency = None
    if keys:
        digest = hashlib.sha256(orjson.dumps(spec.to_json(), option=orjson.OPT_SORT_KEYS)).hexdigest()
        idempotency = (keys[0], digest)
        if (known := journal.recall(*idempotency)) is not None:
            return known, False
        for former in keys[1:]:
            with suppress(IdempotencyMismatch):  # another caller's
                if (known := journal.recall(former, digest)) is not None:
                    return known, False
    planned = plan(store, spec, limits)
    check_cancelled()
    context = context_of(store, planned)
    if traceparent is not None:
        context["traceparent"] = traceparent
    return journal.submit(
        spec.model_name, planned.spec.to_json(), context, priority=spec.priority, idempotency=idempotency
    )


def context_of(store: Store, planned: Plan) -> dict[str, Any]:
    """What a training needs besides its spec."""
    return {
        "signature": planned.signature.model_dump(mode="json"),
        "since": _newest(store, planned.spec.model_name),
        "rows": planned.rows,
    }


def _check_model_name(name: str) -> None:
    try:
        check_name(name)
    except InvalidName as error:
        raise invalid("/model_name", str(error)) from None


def _check_webhook(spec: TrainingSpec, allowed: WebhookAllowlist) -> None:
    if spec.webhook is not None and not allowed.allow(spec.webhook.url):
        known = f"the hosts that this service's operator allows: {allowed}"
        none = "this service sends no webhooks; its operator allows hosts with MODELWRIGHT_WEBHOOK_HOSTS"
        message = f"the URL's host is not one of {known}" if allowed.allowed else none
        raise invalid("/webhook/url", message)


def _find_dataset(store: Store, name: str, number: int | None) -> StoredDataset:
    """A version of a data set, the newest one for None. Raises InvalidSpec, with the names or numbers that there are."""
    try:
        return find_dataset(store, name, number)
    except VersionNotFound:
        known = ", ".join(map(str, store.datasets.numbers(name)))
        raise invalid("/data/version", f"there is no version {number}; known: {known}") from None
    except (NotFound, InvalidName):
        names = store.datasets.names()
        hint = nearest(name, names) if names else "there are none yet: PUT one to /v1/datasets/{name}"
        raise invalid("/data/dataset", f"there is no data set {shown(name)}; {hint}") from None


def _continued(store: Store, found: Resolved, initial: str) -> Resolved:
    """The spec with the number of the initial version, and that version's signature, whose categories the model keeps."""
    version, model, signature = _open_initial(store, initial)
    ours, theirs = found.signature, signature
    if _bare(ours) != _bare(theirs):
        message = f"{initial} has other inputs, outputs or task than this training"
        raise invalid("/initial", message)
    inputs = found.inputs if model.preprocessing is None else network_inputs(theirs.inputs, model.preprocessing)
    network = meta_network(found.spec, theirs, inputs)
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in model.network.state_dict().items()}
    for name in wanted | given:
        if wanted.get(name) != given.get(name):
            shapes = f"{list(given.get(name, ()))} there and {list(wanted.get(name, ()))} here"
            raise invalid("/initial", f"{initial} is of another shape: {name} is {shapes}")
    spec = found.spec.model_copy(update={"initial": f"{version.name}@{version.number}"})
    return Resolved(spec, theirs, found.rows, inputs)


def _with_initial_model(store: Store, spec: TrainingSpec, initial: str) -> TrainingSpec:
    """The spec with the model and preprocessing of the initial version, which are otherwise the defaults of this service and of
    these data: another release may have other ones."""
    recorded = recorded_spec(_find_initial(store, initial))
    return spec.model_copy(
        update={"model": recorded.model, "preprocessing": spec.preprocessing or recorded.preprocessing}
    )


def _open_initial(store: Store, initial: str) -> tuple[Version, Model, Signature]:
    version = _find_initial(store, initial)
    return version, *open_model(store, version)


def _find_initial(store: Store, initial: str) -> Version:
    reference = ModelReference.parse(initial)
    try:
        return store.resolve(reference.name, reference.version or "latest")
    except (NotFound, InvalidName) as error:
        raise invalid("/initial", str(error)) from None


def _bare(signature: Signature) -> Signature:
    """The signature without its categories and its threshold, which only a training finds, and without the types of its
    numbers."""
    inputs = [each.model_copy(update={"categories": None, "dtype": None}) for each in signature.inputs]
    outputs = [each.model_copy(update={"dtype": None, "threshold": None}) for each in signature.outputs]
    return signature.model_copy(update={"inputs": inputs, "outputs": outputs})


def _check_limits(found: Resolved, parameters: int, limits: Limits) -> None:
    if parameters > limits.parameters:
        message = f"the model would have {parameters} parameters; this service allows {limits.parameters}"
        raise invalid("/model", message)
    # Raw and encoded columns of a table; weights, gradients and what most optimizers keep of them; in float32, but for raw
    # features. Values that have a shape are mapped from the disk where they are large.
    raw, columns = raw_dtype(found.signature.inputs).itemsize, found.inputs.by_name.get(FEATURES)
    width = 0 if columns is None else columns.shape[0]
    needed = (raw + 4) * sum(found.rows.values()) * width + 4 * 4 * parameters
    if needed > limits.memory_bytes:
        message = f"the training would need about {needed} bytes of memory; this service allows {limits.memory_bytes}"
        raise invalid("/data" if 16 * parameters < needed // 2 else "/model", message)


def _check_forward(found: Resolved, network: nn.Module, parameters: int, limits: Limits) -> ForwardCost:
    cost = measure(network.eval(), found.inputs)
    needed = 4 * parameters + cost.bytes
    if needed > limits.model_bytes:
        message = f"the model and what it makes of one row would take {needed} bytes of memory"
        raise invalid("/model", f"{message}; this service allows {limits.model_bytes}")
    size = found.spec.training.batch_size
    at_once = size if isinstance(size, int) else found.rows["train"]
    if at_once * cost.bytes > limits.memory_bytes:  # at least: for the gradients more of it is kept
        message = f"{at_once} rows at once would take at least {at_once * cost.bytes} bytes of memory in the network"
        most = f"give a batch_size of at most {limits.memory_bytes // cost.bytes}"
        raise invalid("/training/batch_size", f"{message}; this service allows {limits.memory_bytes}: {most}")
    return cost


def _check_batches(found: Resolved, network: nn.Module) -> None:
    """Checks that layers such as BatchNorm, which compare the rows of a batch, always get more than one row."""
    size = found.spec.training.batch_size
    if found.rows["train"] > 1 and size != 1:
        return
    try:
        network.train()(found.inputs.zeros(1, "meta"))
    except ValueError:  # as torch raises it
        at = "/training/batch_size" if size == 1 else "/split/train"
        message = "a layer of this model compares the rows of a batch, and there is only one; 2 or more are expected"
        raise invalid(at, message) from None


def _newest(store: Store, name: str) -> int:
    """The highest number so far: a version of a job that is submitted now has a higher one."""
    try:
        return store.models.latest_number(name)
    except NotFound:
        return 0
