"""The jobs of a sweep's trials, and of its winner."""

from collections.abc import Sequence
from typing import Any

from model_store import Store
from service.jobs.sweep_steps import NewJob, NewTrial
from service.use_cases.submit_training import Limits, context_of, plan
from service.workflow.errors import InvalidSpec
from service.workflow.search.space import Values, named, with_values
from service.workflow.spec import parse


def round_of(
    store: Store, limits: Limits, spec: dict[str, Any], suggested: Sequence[Values], *, publish: bool
) -> list[NewTrial]:
    """The trials of a round. One whose settings make no training has no job, but the reason.

    Args:
        spec: of the sweep.
        publish: whether each publishes a version.
    """
    return [_trial(store, limits, spec, values, publish) for values in suggested]


def job_of(store: Store, limits: Limits, spec: dict[str, Any], values: Values, *, publish: bool) -> NewJob:
    """The job of a trial, or with `publish` one that ends with a version.

    Raises:
        InvalidSpec: these settings make no training.
    """
    whole = with_values(spec, values)
    if not publish:  # a webhook reports versions
        whole.pop("webhook", None)
    parsed = parse(whole)
    planned = plan(store, parsed, limits)
    context = context_of(store, planned) | ({} if publish else {"publishes": False})
    return NewJob(planned.spec.to_json(), context, parsed.priority)


def _trial(store: Store, limits: Limits, spec: dict[str, Any], values: Values, publish: bool) -> NewTrial:
    try:
        return NewTrial(values, job_of(store, limits, spec, values, publish=publish))
    except InvalidSpec as error:
        return NewTrial(values, None, {"code": "invalid_spec", "detail": f"{error} (with {named(values)})"})
