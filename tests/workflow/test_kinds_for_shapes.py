"""Kinds of models for images, texts, videos, tensors and several inputs: what they take, what they learn from, what they refuse,
and that they work without memory, without rows, and exported."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from service.workflow.errors import InvalidSpec
from service.workflow.forward_cost import measure
from service.workflow.input_tensors import Tensors, rows_in
from service.workflow.models import KINDS, ModelKind
from service.workflow.models.defaults import default_kind
from service.workflow.models.input_shapes import InputShapes, InputTensor

IMAGE = InputTensor((3, 9, 10), "image")
PIXEL = InputTensor((1, 1, 1), "image")
LAST = InputTensor((6, 7, 3), "tensor")
MATRIX = InputTensor((6, 5), "tensor")
TEXT = InputTensor((7,), "text", ids=50)
VIDEO = InputTensor((4, 3, 8, 8), "video")
FEATURES = InputTensor((3,))
MIXED = InputShapes({"photo": IMAGE, "odd.name": TEXT, "keys": VIDEO, "rows": MATRIX, "features": FEATURES})


def one(of: InputTensor) -> InputShapes:
    return InputShapes({"x": of})


CASES: list[tuple[str, dict[str, object], InputShapes]] = [
    ("cnn", {}, one(IMAGE)),
    ("cnn", {}, one(PIXEL)),
    ("cnn", {"channels": [4, 8], "blocks": 2, "residual": False, "pooling": "max"}, one(LAST)),
    ("cnn", {"channels": [4]}, one(MATRIX)),
    ("cnn", {"channels": [2, 4]}, one(InputTensor((1, 100, 130), "image"))),
    ("text_embedding", {}, one(TEXT)),
    ("text_embedding", {"dim": 8, "hidden": [6, 5], "dropout": 0.1}, one(TEXT)),
    ("transformer", {"dim": 8}, one(TEXT)),
    ("transformer", {"dim": 8, "patch": 4, "attention_heads": 2, "depth": 1}, one(IMAGE)),
    ("transformer", {"dim": 8}, one(MATRIX)),
    ("recurrent", {"hidden": 6}, one(TEXT)),
    ("recurrent", {"cell": "LSTM", "hidden": 6, "layers": 2, "bidirectional": False}, one(MATRIX)),
    ("recurrent", {"hidden": 6}, one(VIDEO)),
    ("fusion", {}, MIXED),
    ("fusion", {"encoders": {"odd.name": {"kind": "transformer", "dim": 8}}}, MIXED),
    ("fusion", {"hidden": []}, one(IMAGE)),
]
cases = pytest.mark.parametrize(
    ("kind", "fields", "inputs"), CASES, ids=[f"{kind}-{at}" for at, (kind, _, _) in enumerate(CASES)]
)


def made(kind: str, fields: dict[str, object], inputs: InputShapes) -> nn.Module:
    torch.manual_seed(3)
    return sized(kind, fields, inputs).build(inputs, 2, None)


def sized(kind: str, fields: dict[str, object], inputs: InputShapes) -> ModelKind:
    return KINDS[kind].model_validate(fields).sized(100, inputs)


def random(inputs: InputShapes, rows: int, seed: int = 0) -> Tensors:
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        name: torch.randn(rows, *of.shape, generator=generator)
        if of.ids is None
        else torch.randint(0, of.ids, (rows, *of.shape), generator=generator)
        for name, of in inputs.by_name.items()
    }
    return tensors if len(tensors) > 1 else next(iter(tensors.values()))


@cases
def test_a_network_answers_for_any_number_of_rows(kind: str, fields: dict[str, object], inputs: InputShapes) -> None:
    network = made(kind, fields, inputs).eval()
    for rows in (0, 1, 5):
        with torch.inference_mode():
            assert network(random(inputs, rows)).shape == (rows, 2)


@cases
def test_every_parameter_gets_a_gradient(kind: str, fields: dict[str, object], inputs: InputShapes) -> None:
    network, x = made(kind, fields, inputs), random(inputs, 6)
    network(x).square().sum().backward()
    missing = [name for name, each in network.named_parameters() if each.grad is None or not each.grad.isfinite().all()]
    assert not missing


@cases
def test_rows_do_not_depend_on_each_other(kind: str, fields: dict[str, object], inputs: InputShapes) -> None:
    network, many, few = made(kind, fields, inputs).eval(), random(inputs, 5), random(inputs, 5)
    first = few[:1] if isinstance(few, Tensor) else {name: each[:1] for name, each in few.items()}
    with torch.inference_mode():
        torch.testing.assert_close(network(many)[:1], network(first), atol=1e-5, rtol=1e-4)


@cases
def test_a_network_of_the_same_seed_is_the_same(kind: str, fields: dict[str, object], inputs: InputShapes) -> None:
    networks = [made(kind, fields, inputs) for _ in range(2)]
    first, second = (each.state_dict() for each in networks)
    assert first and all(torch.equal(first[name], second[name]) for name in first)


@cases
def test_a_network_needs_no_memory_on_the_meta_device(
    kind: str, fields: dict[str, object], inputs: InputShapes
) -> None:
    with torch.device("meta"):
        empty = made(kind, fields, inputs)
        output = empty(inputs.zeros(2, "meta"))
    assert output.is_meta and output.shape == (2, 2)
    real = made(kind, fields, inputs)
    assert {name: each.shape for name, each in empty.state_dict().items()} == {
        name: each.shape for name, each in real.state_dict().items()
    }
    assert measure(real.eval(), inputs).work > 0


@cases
def test_a_spec_comes_back_from_its_json(kind: str, fields: dict[str, object], inputs: InputShapes) -> None:
    spec = sized(kind, fields, inputs)
    again = KINDS[kind].model_validate(spec.model_dump(mode="json"))
    assert again == spec and again.sized(1, inputs) == spec


@pytest.mark.parametrize("kind", ["text_embedding", "transformer", "recurrent"])
def test_padding_only_is_no_text_and_no_nan(kind: str) -> None:
    fields: dict[str, object] = {"dim": 8} if kind == "transformer" else {}
    network = made(kind, fields, one(TEXT)).eval()
    empty = torch.zeros(2, 7, dtype=torch.int64)
    assert network(empty).isfinite().all()
    network.train()(empty).sum().backward()
    assert all(each.grad is None or each.grad.isfinite().all() for each in network.parameters())


@pytest.mark.parametrize("kind", ["text_embedding", "transformer"])
def test_padding_does_not_change_an_answer(kind: str) -> None:
    """A text's answer is that of a network for texts of its own length."""
    fields: dict[str, object] = {"dim": 8}
    long, short = (
        made(kind, fields, one(TEXT)).eval(),
        made(kind, fields, one(InputTensor((4,), "text", ids=50))).eval(),
    )
    state = {name: each[:4] if name.endswith("positions") else each for name, each in long.state_dict().items()}
    short.load_state_dict(state)
    text = torch.tensor([[3, 9, 27, 31]])
    padded = torch.nn.functional.pad(text, [0, 3])
    torch.testing.assert_close(long(padded), short(text), atol=1e-6, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:The tensor attributes")  # of recurrent cells, which torch rebuilds
@pytest.mark.parametrize("case", [0, 2, 5, 7, 8, 10, 11, 12, 13])
def test_an_exported_network_takes_any_number_of_rows(case: int) -> None:
    kind, fields, inputs = CASES[case]
    network = made(kind, fields, inputs).eval().requires_grad_(False)
    x = random(inputs, 5)
    dynamic = {0: torch.export.Dim.DYNAMIC}
    shapes = dynamic if isinstance(x, Tensor) else dict.fromkeys(x, dynamic)
    exported = torch.export.export(network, (x,), dynamic_shapes=(shapes,)).module()
    for rows in (1, 7):
        more = random(inputs, rows, seed=rows)
        torch.testing.assert_close(exported(more), network(more), atol=1e-6, rtol=1e-5)
        assert rows_in(more) == rows


@pytest.mark.parametrize(
    ("kind", "of", "says"),
    [
        (
            "cnn",
            TEXT,
            r"cnn takes an image or a tensor of 2 or 3 dimensions, not x \[n, 7\] of type text; text_embedding",
        ),
        ("cnn", VIDEO, r"not x \[n, 4, 3, 8, 8\] of type video; recurrent does"),
        ("text_embedding", IMAGE, r"text_embedding takes a text, not x \[n, 3, 9, 10\] of type image; cnn does"),
        ("recurrent", IMAGE, r"of type image; cnn does"),
        ("transformer", FEATURES, r"not x \[n, 3\]; tabm does"),
    ],
)
def test_a_kind_that_does_not_take_the_input_is_refused(kind: str, of: InputTensor, says: str) -> None:
    with pytest.raises(InvalidSpec, match=f"/model/kind: .*{says}"):
        KINDS[kind].model_validate({}).build(one(of), 1, None)


@pytest.mark.parametrize(
    ("encoders", "says"),
    [
        ({"foto": {"kind": "cnn"}}, r"/model/encoders/foto: there is no input 'foto'.*photo"),
        ({"photo": {"kind": "text_embedding"}}, r"/model/encoders/photo/kind: text_embedding takes a text.*cnn does"),
        ({"features": {"kind": "tabm"}}, r"/model/encoders/features/kind: tabm has no encoder; mlp has one"),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused(encoders: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidSpec, match=says):
        KINDS["fusion"].model_validate({"encoders": encoders}).sized(10, MIXED)


def test_fields_of_an_encoder_are_checked() -> None:
    with pytest.raises(ValidationError, match="photo"):
        KINDS["fusion"].model_validate({"encoders": {"photo": {"kind": "cnn", "chanels": [3]}}})
    with pytest.raises(ValidationError, match="5 is no multiple of 2"):
        KINDS["transformer"].model_validate({"dim": 5, "attention_heads": 2})


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        (one(IMAGE), "cnn"),
        (one(MATRIX), "cnn"),
        (one(LAST), "cnn"),
        (one(TEXT), "text_embedding"),
        (one(VIDEO), "recurrent"),
        (one(InputTensor((4, 3, 8, 8), "tensor")), "recurrent"),
        (one(InputTensor((4,), "tensor")), "tabm"),
        (InputShapes.of_columns(4), "tabm"),
        (MIXED, "fusion"),
    ],
)
def test_the_default_kind_follows_from_the_inputs_and_takes_them(inputs: InputShapes, kind: str) -> None:
    assert default_kind(inputs) == kind
    assert sized(kind, {}, inputs).build(inputs, 3, None).eval()(inputs.zeros(2)).shape[1] == 3
