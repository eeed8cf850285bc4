"""Train the trials of a sweep that share a job: one attempt, one checkpoint, and a result for each."""

from typing import Any

from service.jobs.attempt import Attempt
from service.use_cases.checkpoints import AttemptCheckpoints
from service.use_cases.trial_figures import outcome_figures
from service.workflow.data.table import Table
from service.workflow.signature import Signature
from service.workflow.spec import ResolvedSpec
from service.workflow.state import State
from service.workflow.together import Outcome, learn_together
from service.workflow.together.shape import with_own_parts


def train_together(
    attempt: Attempt, checkpoints: AttemptCheckpoints, spec: ResolvedSpec, signature: Signature, table: Table
) -> dict[str, Any]:
    """The job's `result`: `trials`, the figures of each or its error, by its number as a text. The job's metrics are the lowest
    losses of each epoch.

    Args:
        spec: of the first of them; what the others have for themselves is in the job's context.
    """
    context = attempt.job["context"]
    specs = [with_own_parts(spec, own) for own in context["together"]]

    def report(epoch: int, losses: dict[int, dict[str, float]]) -> None:
        if losses:
            names = next(iter(losses.values()))
            lowest = {name: min(each[name] for each in losses.values()) for name in names}
            checkpoints.history.add(epoch, lowest)
            attempt.epoch(epoch, lowest)

    def go_on(saved: State | None) -> list[Outcome]:
        rows = context["rows"]["train"] * len(specs)
        attempt.expect(spec.training.epochs, rows, done=checkpoints.history.epochs)
        # The last reports of the attempt before may have been lost together with the service.
        for epoch, losses in checkpoints.history.after(attempt.job.get("reported", 0)):
            attempt.epoch(epoch, losses)
        return learn_together(
            specs, signature, table, report, after_step=checkpoints.after_step, saved=saved, stage=attempt.stage
        )

    outcomes = checkpoints.resumed(go_on)
    numbers = context["sweep"]["vectorized"]
    figures = {str(number): outcome_figures(each) for number, each in zip(numbers, outcomes, strict=True)}
    return {"model_name": spec.model_name, "version": None, "trials": figures}
