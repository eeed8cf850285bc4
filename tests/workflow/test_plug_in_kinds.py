"""A kind of model that an operator has installed and that raises: the client's spec is refused, nothing fails."""

from typing import Literal

import pytest
from torch import nn

from service.workflow.errors import InvalidSpec
from service.workflow.model import draft_network
from service.workflow.models import ModelKind
from service.workflow.signature import Input, Output, Signature
from service.workflow.spec import EXAMPLE, parse
from service.workflow.tasks import Task
from tests.workflow.learning import resolved_from

SIGNATURE = Signature(
    task=Task.REGRESSION, inputs=[Input(name="x", type="number")], outputs=[Output(name="y", type="number")]
)


class Ratio(ModelKind):
    """Divides by what the client says."""

    kind: Literal["ratio"] = "ratio"
    by: int

    def build(self, features: int, outputs: int, head: nn.Module | None) -> nn.Module:
        return nn.Linear(features * (4 // self.by), outputs)


@pytest.mark.parametrize(("by", "why"), [(0, "division"), (-2, "negative")])
def test_what_it_raises_is_a_fault_of_the_spec(by: int, why: str) -> None:
    spec = resolved_from(parse(EXAMPLE)).spec
    spec = spec.model_copy(update={"model": Ratio(by=by)})
    with pytest.raises(InvalidSpec) as refused:
        draft_network(spec, SIGNATURE, 1)
    (fault,) = refused.value.faults
    assert fault.pointer == "/model" and "ratio" in fault.message and why in fault.message
