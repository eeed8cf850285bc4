"""Any arguments of a layer are accepted, or refused as an error of the spec."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.workflow.errors import InvalidSpec
from service.workflow.forward_cost import measure
from service.workflow.inspection import count
from service.workflow.model import check_step, meta_network
from service.workflow.models import layers
from service.workflow.spec import parse
from tests.examples import examples
from tests.workflow.learning import resolved_from

RECORDS = [{**{f"x{k}": float(i * k % 7) for k in range(12)}, "y": 0.5 * i} for i in range(20)]
NUMBERS = st.sampled_from([0, 1, 2, 3, 4, -1, 12, 0.0, 0.5, -2.0, 1e308, 2**31, 2**63 - 1])
VALUES = st.one_of(
    NUMBERS, st.booleans(), st.lists(NUMBERS, max_size=3), st.sampled_from(["zeros", "same", "bilinear", ""])
)
SHAPES = [
    [],
    [{"name": "Unflatten", "dim": 1, "unflattened_size": [3, 4]}],
    [{"name": "Unflatten", "dim": 1, "unflattened_size": [3, 2, 2]}],
]


SMALL = 10**6


def draft(stack: list[dict[str, Any]]) -> None:
    """Build the layers as the validation of a spec does."""
    value = {
        "model_name": "m",
        "data": {"kind": "rows", "records": RECORDS, "target": "y"},
        "model": {"kind": "layers", "layers": stack},
    }
    spec = parse(value)
    resolved = resolved_from(spec)
    network = meta_network(resolved.spec, resolved.signature, resolved.inputs)
    cost = measure(network.eval(), resolved.inputs)
    if count(network) <= SMALL and cost.bytes <= SMALL and cost.work <= SMALL:
        check_step(resolved.spec, resolved.signature, resolved.inputs)


@given(st.sampled_from(layers.NAMES), st.data())
@settings(deadline=None, max_examples=examples(150))
def test_any_arguments_make_a_layer_or_an_error(name: str, data: st.DataObject) -> None:
    fields = [each for each in layers.REGISTRY.arguments(name).model_fields if each != "name"]
    given_ = data.draw(st.dictionaries(st.sampled_from(fields), VALUES) if fields else st.just({}))
    before = data.draw(st.sampled_from(SHAPES))
    try:
        draft([*before, {"name": name, **given_}, {"name": "Flatten"}, {"name": "Linear"}])
    except InvalidSpec as refusal:
        assert refusal.faults[0].pointer.startswith("/model")


@pytest.mark.parametrize(
    "layer",
    [
        {"name": "PixelUnshuffle", "downscale_factor": 0},
        {"name": "MaxPool1d", "kernel_size": 2, "stride": 0},
        {"name": "Conv1d", "out_channels": 2, "kernel_size": 2, "stride": 0},
        {"name": "LPPool1d", "norm_type": 0, "kernel_size": 2},
        {"name": "GroupNorm", "num_groups": 0},
        {"name": "ChannelShuffle", "groups": 0},
        {"name": "LPPool1d", "norm_type": 2, "kernel_size": 2**62},
    ],
)
def test_an_error_that_torch_raises_is_reported_at_the_layer(layer: dict[str, Any]) -> None:
    for before in SHAPES:
        with pytest.raises(InvalidSpec) as refusal:
            draft([*before, layer, {"name": "Flatten"}, {"name": "Linear"}])
        assert refusal.value.faults[0].pointer.startswith(f"/model/layers/{len(before)}")


@pytest.mark.parametrize(
    "layer",
    [
        {"name": "Softmax", "dim": 7},
        {"name": "CELU", "alpha": 0},
        {"name": "ConstantPad1d", "padding": 1, "value": 1e308},
        {"name": "AdaptiveAvgPool1d", "output_size": 0},
        {"name": "Conv1d", "in_channels": 2, "out_channels": 2, "kernel_size": 2},
        {"name": "MaxPool1d", "kernel_size": 2, "stride": 2**31},
    ],
)
def test_an_error_that_depends_on_the_values_is_reported_at_the_model(layer: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec) as refusal:
        draft([{"name": "Linear", "out_features": 6}, layer, {"name": "Flatten"}, {"name": "Linear"}])
    assert refusal.value.faults[0].pointer.startswith("/model")
