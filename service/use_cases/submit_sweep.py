"""Submit a sweep: check what it searches by planning trainings, and add it to the journal."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson

from model_store import Store
from service.jobs.errors import IdempotencyMismatch
from service.jobs.sweep import Sweep
from service.jobs.sweep_journal import SweepJournal
from service.use_cases.cancellation import check_cancelled
from service.use_cases.submit_training import Limits, Plan, plan
from service.use_cases.sweep_spec import SweepSettings, parse_sweep
from service.workflow.errors import Fault, InvalidSpec
from service.workflow.search.objective import check
from service.workflow.search.space import Values, combinations, named, with_values
from service.workflow.spec import parse


def submit_sweep(
    store: Store, journal: SweepJournal, value: object, *, keys: Sequence[str] = (), limits: Limits, slots: int
) -> tuple[Sweep, bool]:
    """A new sweep, and whether it is new: the same idempotency key and body give the same sweep again, as for jobs.

    Args:
        keys: names of the idempotency key, as `submit_training.submit` takes them.
        slots: the trainings that run at a time, by default as many as there are trials in a round.

    Raises:
        InvalidSpec: the spec, what is searched, or a value of it has errors; each says what is expected.
        IdempotencyMismatch: the key came with another body before.
    """
    given, spec = parse_sweep(value)
    settings = given.resolved(slots)
    idempotency = None
    if keys:
        document = {"sweep": spec, "settings": given.to_json()}
        digest = hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()
        idempotency = (keys[0], digest)
        if (known := journal.recall_sweep(*idempotency)) is not None:
            return known, False
        for former in keys[1:]:
            with suppress(IdempotencyMismatch):  # another caller's
                if (known := journal.recall_sweep(former, digest)) is not None:
                    return known, False
    planned = _check_trials(store, limits, settings, spec)
    name = planned.spec.model_name
    return journal.create(name, _pinned(spec, planned), settings.to_json(), idempotency=idempotency)


def _check_trials(store: Store, limits: Limits, settings: SweepSettings, spec: dict[str, Any]) -> Plan:
    """Plans a training for the first value, each bound and each choice of every field; returns the first plan."""
    first: Plan | None = None
    for values in combinations(settings.search):
        check_cancelled()
        try:
            planned = plan(store, parse(with_values(spec, values)), limits)
        except InvalidSpec as error:
            raise _with_values(error, values) from None
        if first is None:
            first = planned
            check(settings.objective, planned.signature.task, planned.rows.get("validation", 0))
    assert first is not None  # noqa: S101 - a space has at least one combination
    return first


def _with_values(error: InvalidSpec, values: Values) -> InvalidSpec:
    """The error, which says what was tried where it lies in a field that is searched."""

    def at_searched(fault: Fault) -> Fault:
        at = fault.pointer.removeprefix("/").replace("/", ".")
        hit = {name: value for name, value in values.items() if at == name or at.startswith(name + ".")}
        return Fault(fault.pointer, f"{fault.message} (the sweep tries {named(hit)})") if hit else fault

    return InvalidSpec(*map(at_searched, error.faults))


def _pinned(spec: dict[str, Any], planned: Plan) -> dict[str, Any]:
    """The spec with the versions of the data set and of the initial model that there are now: all trials have the same."""
    pinned = {**spec, "data": planned.spec.data.to_json()}
    return pinned | ({} if planned.spec.initial is None else {"initial": planned.spec.initial})
