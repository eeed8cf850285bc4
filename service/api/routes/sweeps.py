"""Sweeps: search the settings of a training, follow, cancel, pause, resume."""

from collections.abc import Callable

from fastapi import APIRouter, Response

from service.access.audit import record_change
from service.api.dependencies import Caller, Service, Services
from service.api.pagination import After, Limit
from service.api.problems import PROBLEMS
from service.api.routes.training_jobs import Body, IdempotencyKey, own_keys
from service.api.routing import TrainRoute, pool
from service.api.schemas.answer import Page, page
from service.api.schemas.bodies import sweep_body
from service.api.schemas.sweep import Sweep, SweepWithTrials, sweep_document, sweep_with_trials
from service.jobs import sweep as sweeps
from service.jobs.sweep import SweepStatus
from service.use_cases.submit_sweep import submit_sweep

router = APIRouter(prefix="/v1/sweeps", tags=["sweeps"], responses=PROBLEMS, route_class=TrainRoute)


@router.post("", status_code=202, summary="Search the settings of a training", openapi_extra=sweep_body())
@pool("planning")
def create(
    response: Response, service: Service, caller: Caller, body: Body, idempotency_key: IdempotencyKey = None
) -> SweepWithTrials:
    """Begins a sweep, whose address is in `Location`. Its trials are training jobs."""
    keys = own_keys(caller, idempotency_key)
    sweep, new = submit_sweep(
        service.store, service.sweeps, body, keys=keys, limits=service.limits, slots=service.slots
    )
    if new:
        record_change("sweep.created", sweep.id, after=sweep.model_name)
    response.headers["Location"] = f"/v1/sweeps/{sweep.id}"
    return sweep_with_trials(sweep)


@router.get("", summary="List sweeps, newest first")
def index(
    service: Service,
    status: SweepStatus | None = None,
    model_name: str | None = None,
    after: After = None,
    limit: Limit = 20,
) -> Page[Sweep]:
    """Sweeps without their trials, newest first."""
    found, more = service.sweeps.list_sweeps(status=status, model_name=model_name, after=after, limit=limit)
    return page(map(sweep_document, found), more)


@router.get("/{sweep_id}", summary="Show a sweep and its trials")
def show(service: Service, sweep_id: str) -> SweepWithTrials:
    """The sweep, with the settings, the objective and the state of each trial."""
    return _shown(service, service.sweeps.sweep(sweep_id))


@router.post("/{sweep_id}/cancel", summary="Cancel a sweep")
def cancel(service: Service, sweep_id: str) -> SweepWithTrials:
    """Ends the sweep without a model, and cancels its trials."""
    return _change(service, service.sweeps.cancel_sweep, "sweep.cancelled", sweep_id)


@router.post("/{sweep_id}/pause", summary="Pause a sweep")
def pause(service: Service, sweep_id: str) -> SweepWithTrials:
    """Pauses its trials, and begins no more. `max_seconds` do not pass meanwhile."""
    return _change(service, service.sweeps.pause_sweep, "sweep.paused", sweep_id)


@router.post("/{sweep_id}/resume", summary="Resume a paused sweep")
def resume(service: Service, sweep_id: str) -> SweepWithTrials:
    """Lets its trials go on from their checkpoints."""
    return _change(service, service.sweeps.resume_sweep, "sweep.resumed", sweep_id)


def _change(service: Services, ask: Callable[[str], sweeps.Sweep], what: str, sweep_id: str) -> SweepWithTrials:
    """Requests a change of a sweep, and records it in the audit log if it had an effect."""
    was, sweep = service.sweeps.sweep(sweep_id), ask(sweep_id)
    if sweep.status != was.status:
        record_change(what, sweep_id, before=was.status, after=sweep.status)
    return _shown(service, sweep)


def _shown(service: Services, sweep: sweeps.Sweep) -> SweepWithTrials:
    """The sweep. If it has published its version, `latest` includes it in this process from now on."""
    if sweep.result is not None and sweep.result["version"] is not None:
        service.current.follow_publish(sweep.result["model_name"], sweep.result["version"])
    return sweep_with_trials(sweep)
