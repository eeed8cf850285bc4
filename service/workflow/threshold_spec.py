"""What a spec says about the probability from which on the second of two classes is the answer."""

from typing import Annotated, Literal

from pydantic import Field

from service.workflow.errors import invalid
from service.workflow.signature import Signature
from service.workflow.spec_base import SpecBase
from service.workflow.tasks import Task

FEWEST = 50  # rows of the validation part, as of a temperature
Cost = Annotated[int | float, Field(ge=0, le=1e9)]


class CostSpec(SpecBase):
    """What a wrong answer costs. The second class in sorted order is the positive one."""

    false_positive: Cost = Field(description="of a row of the first class that gets the second one as its answer")
    false_negative: Cost = Field(description="of a row of the second class that gets the first one as its answer")


class ThresholdSpec(SpecBase):
    """By what the threshold is chosen on the validation part: exactly one of a metric, as the metrics have it, and a cost."""

    metric: Literal["f1", "balanced_accuracy", "accuracy"] | None = None
    cost: CostSpec | None = None


def check_threshold(spec: ThresholdSpec | None, signature: Signature, rows: int) -> None:
    """Checks that a threshold can be chosen.

    Args:
        rows: of the validation part.

    Raises:
        InvalidSpec: there are not two classes, or too few rows; or it says nothing, or two things.
    """
    if spec is None:
        return
    if (spec.metric is None) == (spec.cost is None):
        raise invalid("/threshold", "expected exactly one of `metric` and `cost`")
    if spec.cost is not None and not spec.cost.false_positive + spec.cost.false_negative:
        raise invalid("/threshold/cost", "both costs are 0, so that no threshold is better than another")
    if signature.task is not Task.BINARY:
        message = f"a threshold decides between two classes, and this is a {signature.task} model; leave it out"
        raise invalid("/threshold", message)
    if rows < FEWEST:
        message = f"it needs a validation part of at least {FEWEST} rows, and this one has {rows}"
        raise invalid("/threshold", f"{message}; enlarge split.validation, or leave it out")
