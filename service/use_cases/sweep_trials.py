"""The jobs of a sweep's trials, and of its winner."""

from collections.abc import Iterator, Sequence
from typing import Any

from model_store import Store
from service.jobs.sweep_steps import NewJob, NewTrial
from service.use_cases.submit_training import Limits, Plan, context_of, plan
from service.workflow.errors import InvalidSpec
from service.workflow.search.space import Values, named, with_values
from service.workflow.spec import parse
from service.workflow.together.shape import FEWEST, is_faster, own_parts, refusal, same_shape


def round_of(
    store: Store, limits: Limits, spec: dict[str, Any], suggested: Sequence[Values], *, publish: bool, slots: int
) -> list[NewTrial]:
    """The trials of a round. One whose settings make no training has no job, but the reason. Those that are faster together have
    one job.

    Args:
        spec: of the sweep.
        publish: whether each publishes a version, which takes a job of its own.
        slots: the trainings that run at a time.
    """
    plans: dict[int, Plan] = {}
    errors: dict[int, dict[str, Any]] = {}
    for at, values in enumerate(suggested):
        try:
            plans[at] = _plan(store, limits, spec, values, publish=publish)
        except InvalidSpec as error:
            errors[at] = {"code": "invalid_spec", "detail": f"{error} (with {named(values)})"}
    jobs = {at: _job(store, each, publish=publish) for at, each in plans.items()}
    for members in () if publish else _together(plans, slots):
        first = jobs[members[0]]
        own = [own_parts(plans[at].spec) for at in members]
        jobs |= dict.fromkeys(members, NewJob(first.spec, first.context | {"together": own}, first.priority))
    return [NewTrial(values, jobs.get(at), errors.get(at)) for at, values in enumerate(suggested)]


def job_of(store: Store, limits: Limits, spec: dict[str, Any], values: Values) -> NewJob:
    """A job of its own for these settings, that ends with a version.

    Raises:
        InvalidSpec: they make no training.
    """
    return _job(store, _plan(store, limits, spec, values, publish=True), publish=True)


def _plan(store: Store, limits: Limits, spec: dict[str, Any], values: Values, *, publish: bool) -> Plan:
    whole = with_values(spec, values)
    if not publish:  # a webhook reports versions
        whole.pop("webhook", None)
    return plan(store, parse(whole), limits)


def _job(store: Store, planned: Plan, *, publish: bool) -> NewJob:
    context = context_of(store, planned) | ({} if publish else {"publishes": False})
    return NewJob(planned.spec.to_json(), context, planned.spec.priority)


def _together(plans: dict[int, Plan], slots: int) -> Iterator[list[int]]:
    """The positions of the trials of each job that trains several: those of one shape, in a job for each slot if there are
    enough."""
    able = [
        at
        for at, each in plans.items()
        if refusal(each.spec, each.signature) is None and is_faster(each.spec, each.parameters, each.rows["train"])
    ]
    for places in same_shape([plans[at].spec for at in able]):
        members = [able[place] for place in places]
        jobs = min(slots, len(members) // FEWEST)
        for job in range(jobs):
            yield members[job::jobs]
