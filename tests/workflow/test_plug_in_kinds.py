"""Plug-ins for kinds of models: an exception is an error of the spec, and a plug-in for an older version of Modelwright
ends the start of the service."""

from typing import Literal

import pytest
from torch import nn

from service.workflow.errors import InvalidPlugin, InvalidSpec
from service.workflow.model import meta_network
from service.workflow.models import KINDS, ModelKind, install
from service.workflow.models.input_shapes import InputShapes
from service.workflow.signature import Input, Output, Signature
from service.workflow.spec import EXAMPLE, parse
from service.workflow.tasks import Task
from tests.workflow.learning import resolved_from

SIGNATURE = Signature(
    task=Task.REGRESSION, inputs=[Input(name="x", type="number")], outputs=[Output(name="y", type="number")]
)


class Ratio(ModelKind):
    """A kind that divides by a field of the spec."""

    kind: Literal["ratio"] = "ratio"
    by: int

    def build(self, inputs: InputShapes, outputs: int, head: nn.Module | None) -> nn.Module:
        return nn.Linear(inputs.features * (4 // self.by), outputs)


@pytest.mark.parametrize(("by", "why"), [(0, "division"), (-2, "negative")])
def test_an_exception_of_a_plug_in_is_an_error_of_the_spec(by: int, why: str) -> None:
    spec = resolved_from(parse(EXAMPLE)).spec
    spec = spec.model_copy(update={"model": Ratio(by=by)})
    with pytest.raises(InvalidSpec) as refused:
        meta_network(spec, SIGNATURE, InputShapes.of_columns(1))
    (fault,) = refused.value.faults
    assert fault.pointer == "/model" and "ratio" in fault.message and why in fault.message


class Former(ModelKind):
    """A kind with the interface from before input shapes."""

    kind: Literal["former"] = "former"

    def build(self, features: int, outputs: int, head: nn.Module | None) -> nn.Module:  # type: ignore[override]
        return nn.Linear(features, outputs)


class Unnamed(Former):
    """The same with another parameter name."""

    kind: Literal["unnamed"] = "unnamed"  # type: ignore[assignment]

    def build(self, n: int, outputs: int, head: nn.Module | None) -> nn.Module:  # type: ignore[override]
        return nn.Linear(n, outputs)


def test_a_kind_for_an_older_version_ends_the_start_with_its_name() -> None:
    with pytest.raises(
        InvalidPlugin, match=r"Former is for an older version .*parameter features.*inputs: InputShapes"
    ):
        install([f"{__name__}:Former"])
    assert "former" not in KINDS


def test_a_kind_that_uses_the_shapes_as_a_number_is_an_error_of_the_spec() -> None:
    spec = resolved_from(parse(EXAMPLE)).spec.model_copy(update={"model": Unnamed()})
    with pytest.raises(InvalidSpec, match="/model: the plug-in's kind 'unnamed' refuses this"):
        meta_network(spec, SIGNATURE, InputShapes.of_columns(1))
