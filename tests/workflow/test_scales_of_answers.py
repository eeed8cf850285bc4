"""Inputs and outputs of float64: the same bits by every code path, and all digits in every format."""

import io
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import orjson
import polars as pl
import pytest
import torch
from torch import nn

from service.serving.codecs import outputs
from service.serving.codecs.codec import Encoder
from service.serving.codecs.json import json_bodies
from service.serving.codecs.tensors import to_bytes
from service.serving.forward import MANY, forward
from service.serving.functional import functional
from service.serving.micro_batches import compute
from service.serving.pending_prediction import PendingPrediction
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.workflow.losses import OutputKind
from service.workflow.model import Model
from service.workflow.models.tabm import TabM
from service.workflow.preprocessing import Layout, fit, fit_target, layout
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task
from tests.serving.formats import READERS, WRITERS

CSV, PARQUET, NPY = "text/csv", "application/vnd.apache.parquet", "application/x-npy"
STREAM, FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"
READ_BACK: dict[str, Callable[[bytes], pl.DataFrame]] = {
    CSV: lambda body: pl.read_csv(body, schema_overrides={"y": pl.Float64, "w": pl.Float64}),
    PARQUET: lambda body: pl.read_parquet(io.BytesIO(body)),
    STREAM: lambda body: pl.read_ipc_stream(io.BytesIO(body)),
    FILE: lambda body: pl.read_ipc(io.BytesIO(body)),
}
NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "linear": lambda width: nn.Linear(width, 1),
    "mlp": lambda width: nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, 1)),
    "tabm": lambda width: TabM(width, 1, 8, 2, 4, 0.1, None),
}
INPUTS = [
    Input(name="a", type="number", dtype="float64"),
    Input(name="b", type="number"),
    Input(name="c", type="number"),
]
PLAIN, WITH_CATEGORY = layout(INPUTS), Layout([0, 1], [(2, 3)], [0, 1, 2])
Y, Y64 = Output(name="y", type="number"), Output(name="y", type="number", dtype="float64")
W64 = Output(name="w", type="number", dtype="float64")
FAR = 1.7e12


def table(rows: int = 64, *, missing: bool = False) -> torch.Tensor:
    drawn = torch.randn(rows, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn[:, 0] += FAR
    drawn[:, 2] = drawn[:, 2].abs().clamp(max=3).floor()
    if missing:
        drawn[::3, 0] = torch.nan
    return drawn


def signature(*given: Output, inputs: list[Input] = INPUTS) -> Signature:
    return Signature(task=Task.REGRESSION, inputs=inputs, outputs=list(given))


def made(network: str = "mlp", *, normalize: bool = True, of: Layout = PLAIN, missing: bool = False) -> Model:
    torch.manual_seed(0)
    preprocessing = fit(of, table(missing=missing), normalize)
    assert preprocessing is not None, "nothing would round what enters the network"
    target = fit_target(torch.randn(64, 1, dtype=torch.float64) + FAR, torch.float64)
    model = Model(NETWORKS[network](preprocessing.width), preprocessing, target, OutputKind.VALUE, Task.REGRESSION)
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("of", [PLAIN, WITH_CATEGORY])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_same_bits_as_the_module(network: str, normalize: bool, of: Layout) -> None:
    for missing in (False, True):
        model = made(network, normalize=normalize, of=of, missing=missing)
        with torch.inference_mode():
            for rows in (1, 5, MANY, 200):
                raw = table(rows)
                before, expected = raw.clone(), model(raw)
                assert expected.dtype is torch.float64
                assert torch.equal(functional(model)(raw), expected)
                assert torch.equal(functional(model, missing=False)(raw), expected)
                assert torch.equal(raw, before), "the client's rows were written over"


def test_rows_in_lists_are_read_as_float64() -> None:
    warm, served = Warm(made(), signature(Y64)), ServedVersion("digest", "m", 1)
    encoder = Encoder("application/json", json_bodies)
    raw = table(5)
    waiter: Any = None
    requests = [
        PendingPrediction(served, warm, rows, encoder, waiter)
        for rows in (raw[:2].tolist(), raw[2:4].tolist(), raw[4:])
    ]
    expected = forward(warm, raw)[:, 0].tolist()
    assert len(set(expected)) == 5, "float32 would not tell the rows apart"
    for several in ([requests[0]], requests[:2], requests):
        bodies = [orjson.loads(cast(bytes, body))["predictions"] for body in compute(several, lambda *_: None)]
        found = [answer for part in bodies for answer in part]
        assert found == expected[: len(found)]


def model_of(*given: Output) -> Warm:
    return Warm(cast(Model, None), signature(*given))


@pytest.mark.parametrize("media_type", READ_BACK)
def test_a_table_keeps_the_type_of_each_output(media_type: str) -> None:
    answers = np.array([[FAR + 0.123, 0.1], [FAR, np.nan]])
    frame = READ_BACK[media_type](WRITERS[media_type](model_of(Y64), answers[:, :1]))
    assert frame["y"].to_list() == answers[:, 0].tolist()
    frame = READ_BACK[media_type](WRITERS[media_type](model_of(Y64, Y.model_copy(update={"name": "w"})), answers))
    assert frame["y"].to_list() == answers[:, 0].tolist()
    narrow = float(np.float32(0.1))
    assert frame["w"].to_list() == [pytest.approx(0.1, abs=0) if media_type == CSV else narrow, None]


def test_formats_learned_from_one_stream_do_not_affect_another() -> None:
    wide, narrow = np.array([[FAR + 0.5], [FAR]]), np.array([[0.5], [1.5]], np.float32)
    for _ in range(2):
        assert READ_BACK[STREAM](WRITERS[STREAM](model_of(Y64), wide))["y"].to_list() == wide[:, 0].tolist()
        frame = READ_BACK[STREAM](WRITERS[STREAM](model_of(Y), narrow))
        assert frame["y"].dtype == pl.Float32 and frame["y"].to_list() == [0.5, 1.5]
    both, mixed = np.hstack([wide, wide]), model_of(Y64, Y.model_copy(update={"name": "w"}))
    for _ in range(2):
        assert READ_BACK[STREAM](WRITERS[STREAM](model_of(Y64, W64), both)).dtypes == [pl.Float64, pl.Float64]
        assert READ_BACK[STREAM](WRITERS[STREAM](mixed, both)).dtypes == [pl.Float64, pl.Float32]


def test_an_array_is_of_float64() -> None:
    answers = np.array([[FAR + 0.123], [FAR]])
    for warm, given in ((model_of(Y64), answers), (model_of(Y64), answers.astype(np.float32))):
        found = np.load(io.BytesIO(WRITERS[NPY](warm, given)))
        assert found.dtype == np.float64 and found.tolist() == given[:, 0].tolist()
    assert np.load(io.BytesIO(WRITERS[NPY](model_of(Y), answers.astype(np.float32)))).dtype == np.float32


def test_tensors_are_fp64() -> None:
    of = signature(Y64, Y.model_copy(update={"name": "w"}))
    assert [each.datatype for each in outputs.inputs(of)] == ["FP64"]
    assert [each.datatype for each in outputs.outputs(of)] == ["FP64", "FP32"]
    found = outputs.values(of, np.array([[FAR + 0.123, 0.1]]))
    assert to_bytes("FP64", found[0]) == np.array([FAR + 0.123]).tobytes()
    assert np.asarray(found[1]).dtype == np.float32
    mixed = [*INPUTS[:2], Input(name="c", type="category", categories=["red"])]
    assert [each.datatype for each in outputs.inputs(signature(Y, inputs=mixed))] == ["FP64", "FP32", "BYTES"]
    assert [each.datatype for each in outputs.inputs(signature(Y, inputs=INPUTS[1:]))] == ["FP32"]


def test_an_array_of_float64_is_read_with_every_digit() -> None:
    file, raw = io.BytesIO(), table(3)
    np.save(file, raw.numpy())
    assert torch.equal(READERS[NPY](file.getvalue(), signature(Y), False), raw)
