"""`modeling.py` of the export `huggingface` reads each value as the service does, and builds each layer."""

import json
import math
import runpy
from datetime import UTC, datetime
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.serving.codecs.input_values import from_texts, from_values, largest_number
from service.workflow.data.types.date_formats import DATES, DAY_OR_MONTH_FIRST
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.errors import InvalidSpec
from service.workflow.exports.huggingface.config import describe_input
from service.workflow.exports.huggingface.folder import FILES, MODELING
from service.workflow.models import layers
from service.workflow.models.input_shapes import InputShapes, InputTensor
from service.workflow.models.layers import LayersSpec
from service.workflow.signature import Input
from tests.examples import examples

MODULE = runpy.run_path(str(FILES[0].with_name(MODELING)))
CATEGORIES = ["1", "2.5", "-0", "true", "red", " red", "N/A", "1e3", "007", "__class__", "Ünïcödé"]
MISSING = [None, ["-999", "n/a", "0"]]


def own(of: Input, value: Any) -> list[float] | None:
    """The raw columns of a value as the service reads it, None if it refuses the value."""
    read = from_texts if isinstance(value, str) else from_values
    column, wrong = read(of, [value], largest_number([of]))
    return None if wrong else [float(each[0]) for each in COLUMN_TYPES[of.type].encode(column, of.categories)]


def theirs(of: Input, value: Any) -> list[float] | None:
    """The same by `modeling.py`."""
    config = json.loads(json.dumps(describe_input(of)))
    try:
        found = [float(each[0]) for each in MODULE["read_column"](config, [{of.name: value}])]
    except ValueError:
        return None
    most = largest_number([of])
    return None if any(abs(each) > most for each in found) and of.type == "number" else found


def same(one: list[float] | None, other: list[float] | None) -> bool:
    if one is None or other is None:
        return one is other
    return all(math.isclose(a, b, abs_tol=1e-9) or (a != a and b != b) for a, b in zip(one, other, strict=True))


NUMBERS = st.one_of(
    st.text("0123456789+-\u2212.,eE'’ \u00a0\u202f$€%()n/a", max_size=9),
    st.floats().map(repr),
    st.integers(-(10**9), 10**9).map("{:,}".format),
    st.floats(-1e9, 1e9).map("€ {:,.2f}".format),
    st.floats(-1e9, 1e9).map(lambda value: f"({value:.1f}) ".replace(".", ",")),
    st.sampled_from(["-999", "-999.0", " n/a ", "1.234.567,8", "1 234,5", "12 %", "Infinity", "1_000", "٣", "1e400"]),
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.just([1])
)


@example(-999, None, ["-999"], False)
@given(st.one_of(NUMBERS, VALUES), st.sampled_from([None, ","]), st.sampled_from(MISSING), st.booleans())
@settings(max_examples=examples(150))
def test_numbers(value: Any, decimal: Any, missing: list[str] | None, exact: bool) -> None:
    of = Input(name="x", type="number", decimal=decimal, missing=missing, dtype="float64" if exact else None)
    assert same(theirs(of, value), own(of, value))


@given(
    st.one_of(
        st.sampled_from(CATEGORIES),
        st.sampled_from(["1.0", "10e2", "+1", "True", "RED", "", " ", "0"]),
        st.text(),
        VALUES,
    )
)
def test_categories(value: Any) -> None:
    of = Input(name="__class__", type="category", categories=sorted(CATEGORIES), missing=["n/a"])
    assert same(theirs(of, value), own(of, value))


@given(
    st.one_of(
        st.sampled_from(["yes", "No ", "T", "f", "Y", "1", "0", "2", "true\n", "", "n/a"]), st.text(max_size=3), VALUES
    )
)
def test_booleans(value: Any) -> None:
    of = Input(name="x", type="boolean", missing=["n/a"])
    assert same(theirs(of, value), own(of, value))


CLOCKS = [
    "",
    "T%H:%M",
    " %H:%M:%S",
    " %I:%M %p",
    ", %I %p",
    " %H",
    "T%H:%M:%S.%fZ",
    " %H%M+0530",
    "T%H:%M-11",
    " %H:%M UTC",
]
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - written without a zone


@given(
    st.one_of(
        st.tuples(MOMENTS, st.sampled_from([*DATES[1:], "%Y-%m-%d"]), st.sampled_from(CLOCKS)).map(
            lambda drawn: drawn[0].strftime(drawn[1] + drawn[2])
        ),
        st.text("0123456789-/. :TZ+", max_size=12),
        st.sampled_from(
            ["2024-W05-3", "20240131T10", "2024-02-30", "9999-12-31T23:59:59-01:00", "0001-01-01", "Sept 1, 2024", ""]
        ),
    ),
    st.sampled_from([None, *DATES, "seconds", "milliseconds"]),
)
@settings(max_examples=examples(200))
def test_dates_as_texts(value: str, form: str | None) -> None:
    of = Input(name="x", type="datetime", date_format=form)
    assert same(theirs(of, value), own(of, value))


@pytest.mark.parametrize("form", sorted({*DATES} - {*DAY_OR_MONTH_FIRST.values()}))
def test_every_form_of_dates(form: str) -> None:
    moment = datetime(2024, 2, 29, 17, 5, 9, tzinfo=UTC)
    text = moment.strftime("%Y-%m-%d" if form == "ISO 8601" else form)
    for clock in ("", " 17:05:09", " 5:05:09 PM"):
        of = Input(name="x", type="datetime", date_format=form)
        found = theirs(of, text + clock)
        assert found is not None and same(found, own(of, text + clock))


def test_dates_as_numbers_and_objects() -> None:
    moment = datetime(2024, 2, 29, 17, 5, 9, 250_000, tzinfo=UTC)
    plain, milliseconds = (Input(name="x", type="datetime", date_format=form) for form in (None, "milliseconds"))
    days = Input(name="x", type="datetime", date_format="%Y%m%d")
    expected = own(plain, moment.isoformat())
    assert same(theirs(plain, moment.timestamp()), expected)
    assert same(theirs(plain, moment), expected)
    assert same(theirs(plain, moment.replace(tzinfo=None)), expected)
    assert same(theirs(milliseconds, moment.timestamp() * 1e3), own(milliseconds, moment.timestamp() * 1e3))
    assert same(theirs(days, 20240229), own(days, 20240229))
    assert same(theirs(plain, moment.date()), own(plain, "2024-02-29"))
    assert theirs(plain, 1e15) is None
    assert theirs(plain, True) is None


def test_every_column_type_has_a_reader() -> None:
    readers = [runpy.run_path(str(each)).get("READERS", {}) for each in FILES]
    assert {name for each in readers for name in each} >= COLUMN_TYPES.keys()


NEEDED: dict[str, dict[str, Any]] = {
    "Linear": {"out_features": 3},
    **{name: {"dim": 1} for name in ("Softmax", "Softmin", "LogSoftmax")},
    "Unflatten": {"dim": 1, "unflattened_size": [3, -1]},
    "Threshold": {"threshold": 0.1, "value": 0.2},
    "GroupNorm": {"num_groups": 1},
    "LocalResponseNorm": {"size": 2},
    "ChannelShuffle": {"groups": 1},
    "PixelShuffle": {"upscale_factor": 2},
    "PixelUnshuffle": {"downscale_factor": 2},
    "Fold": {"output_size": [2, 2], "kernel_size": [2, 2]},
    "Unfold": {"kernel_size": [2, 2]},
    "TransformerEncoderLayer": {"nhead": 1, "dim_feedforward": 4},
    "MultiheadAttention": {"num_heads": 2},
    **{key: {"hidden_size": 3} for key in ("LSTM", "GRU", "RNN")},
    **{key: {"embedding_dim": 3} for key in ("Embedding", "EmbeddingBag")},
    "LazyLinear": {"out_features": 3},
    **{f"LazyConv{of}{at}d": {"out_channels": 2, "kernel_size": 1} for of in ("", "Transpose") for at in (1, 2, 3)},
    "Upsample": {"scale_factor": 2.0},
    **{f"Adaptive{what}Pool{at}d": {"output_size": 1} for what in ("Avg", "Max") for at in (1, 2, 3)},
    **{f"{what}Pool{at}d": {"kernel_size": 1} for what in ("Avg", "Max") for at in (1, 2, 3)},
    **{f"LPPool{at}d": {"norm_type": 2.0, "kernel_size": 1} for at in (1, 2, 3)},
    **{f"Conv{of}{at}d": {"out_channels": 2, "kernel_size": [1] * at} for of in ("", "Transpose") for at in (1, 2, 3)},
    **{f"{of}Pad{at}d": {"padding": 1} for of in ("Circular", "Reflection", "Replication", "Zero") for at in (1, 2, 3)},
    **{f"ConstantPad{at}d": {"padding": 1, "value": 0.5} for at in (1, 2, 3)},
}
SHAPES = [[], [8, 12], [96, 1], [4, 4, 6], [4, 2, 4, 3]]  # of a row before the layer


@pytest.mark.parametrize("name", layers.NAMES)
def test_every_layer_is_built_again(name: str) -> None:
    built = 0
    for shape in SHAPES:
        before = [{"name": "Unflatten", "dim": 1, "unflattened_size": shape}] if shape else []
        layer = {"name": name, **NEEDED.get(name, {})}
        try:
            kind = LayersSpec.model_validate({"layers": [*before, layer, {"name": "Flatten"}, {"name": "Linear"}]})
            ids = 9 if name.startswith("Embedding") else None
            inputs = InputShapes({"x": InputTensor((96,), ids=ids)})
            network = kind.build(inputs, 1, None).eval()
        except (InvalidSpec, ValueError):
            continue
        described = [{"name": name, **arguments} for name, arguments in kind.resolved(inputs, 1)]
        again = MODULE["build"](json.loads(json.dumps({"name": "Sequential", "layers": described}))).eval()
        again.load_state_dict(network.state_dict())
        raw = torch.randn(5, 96) if ids is None else torch.randint(0, ids, (5, 96))
        assert torch.equal(again(raw), network(raw))
        built += 1
    assert built, "no shape fits this layer"


def test_nothing_but_modules_is_built() -> None:
    for name in ("__class__", "functional", "Parameter", "init", "no such layer"):
        with pytest.raises(ValueError, match="there is no module"):
            MODULE["build"]({"name": name})
