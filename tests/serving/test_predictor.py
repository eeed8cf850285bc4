"""The predictor without HTTP and without a store: it resolves and loads from a table in memory."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import orjson
import pytest
import torch
from torch import nn

from service.model_reference import ModelReference
from service.serving.codecs import DECODERS, ENCODERS, JSON, JSON_LINES, one_value
from service.serving.errors import ClientGone, DeadlineExceeded, Overloaded
from service.serving.micro_batches import MicroBatches
from service.serving.prediction import PredictionRequest, PredictionResult
from service.serving.predictor import Predictor
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm, WarmModels
from service.strict_json import NotStrictJson
from service.workflow.errors import InvalidInstances
from service.workflow.losses import OutputKind
from service.workflow.model import Model
from service.workflow.scaling import Scaling
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task
from tests.harness.pictures import picture
from tests.serving.test_micro_batches import Network, warm

ONE = b'{"instances":[[1,2,3]]}'
DOUBLES = ServedVersion("digest", "m", 1)


class PredictorSetup:
    """One version of `m`; counts look-ups and loads, which wait for the event `open`."""

    def __init__(self, most_waiting: int = 100) -> None:
        self.looked_up: list[ModelReference] = []
        self.loaded: list[ServedVersion] = []
        self.open = threading.Event()
        self.open.set()
        self.models = WarmModels(10**9)
        batches = MicroBatches(light=10**9, threads=1, places=100, observe=lambda *_: None)
        self.predictor = Predictor(self, self.load, self.models, batches, lambda *_: None, most_waiting)

    def known(self, model: ModelReference) -> ServedVersion | None:
        return DOUBLES if model in self.looked_up and self.open.is_set() else None

    def last_known(self, model: ModelReference) -> ServedVersion | None:
        return None

    def look_up(self, model: ModelReference) -> ServedVersion:
        self.looked_up.append(model)
        self.open.wait(60)
        if model[0] != "m":
            raise KeyError(model)
        return DOUBLES

    def load(self, version: ServedVersion) -> Warm:
        self.loaded.append(version)
        return self.models.get(version.digest, lambda: warm(Network()))


def request(body: bytes = ONE, media_type: str = JSON, **about: Any) -> PredictionRequest:
    encoder = ENCODERS[media_type]
    return PredictionRequest(ModelReference("m"), DECODERS[media_type], lambda _: encoder, body, None, **about)


def test_concurrent_requests_for_a_cold_model_share_one_look_up_and_one_load() -> None:
    setup = PredictorSetup()

    async def many() -> list[PredictionResult]:
        setup.open.clear()
        waiting = [asyncio.create_task(setup.predictor.predict(request())) for _ in range(20)]
        while not setup.looked_up:
            await asyncio.sleep(0)
        setup.open.set()
        return await asyncio.gather(*waiting)

    with closing(setup.predictor):
        results = asyncio.run(many())
    assert len(setup.looked_up) == 1 and setup.models.loads == 1
    assert {each.version for each in results} == {DOUBLES}
    assert {orjson.loads(each.body)["model_version"] for each in results} == {1}


@pytest.mark.parametrize(("body", "error"), [(b"{", NotStrictJson), (b'{"instances":[[1]]}', InvalidInstances)])
def test_start_and_predict_raise_the_same_error(body: bytes, error: type[Exception]) -> None:
    async def both() -> list[str]:
        await setup.predictor.predict(request())
        reasons = []
        with pytest.raises(error) as slow:
            await setup.predictor.predict(request(body))
        reasons.append(str(slow.value))
        with pytest.raises(error) as fast:
            setup.predictor.start(request(body), lambda _: asyncio.get_running_loop().create_future())
        reasons.append(str(fast.value))
        return reasons

    setup = PredictorSetup()
    with closing(setup.predictor):
        slow, fast = asyncio.run(both())
    assert slow == fast


def test_start_answers_in_the_event_loop_what_predict_answers() -> None:
    async def both() -> tuple[bytes, bytes, bool, bool]:
        waiter = asyncio.get_running_loop().create_future()
        cold = setup.predictor.start(request(), lambda _: waiter)
        expected = (await setup.predictor.predict(request())).body
        started = setup.predictor.start(request(), lambda _: waiter)
        return expected, await waiter, cold, started

    setup = PredictorSetup()
    with closing(setup.predictor):
        expected, found, cold, started = asyncio.run(both())
    assert found == expected and started and not cold


def photos() -> Warm:
    """A model of one image [3, 8, 8]."""
    of = Input(name="image", type="image", shape=[3, 8, 8], dtype="uint8")
    signature = Signature(task=Task("regression"), inputs=[of], outputs=[Output(name="y", type="number")])
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 1))
    scalings = {"image": Scaling([3, 8, 8], 0)}
    return Warm(Model(network, None, None, OutputKind.VALUE, signature.task, scalings, False, True), signature)


def picture_request(body: bytes) -> PredictionRequest:
    decoder = one_value.decoder("image/png")
    assert decoder is not None
    return PredictionRequest(ModelReference("m"), decoder, lambda _: ENCODERS[JSON], body, None)


def test_start_answers_a_small_image_in_a_free_thread_and_leaves_others_to_predict() -> None:
    setup, small, large = PredictorSetup(), picture(1, size=(8, 8)), picture(1, size=(1100, 1000))
    setup.models.get(DOUBLES.digest, photos)
    setup.looked_up.append(ModelReference("m"))

    async def run() -> None:
        def make(result: PredictionResult) -> "asyncio.Future[bytes]":
            results.append(result)
            return waiter

        results: list[PredictionResult] = []
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        assert setup.predictor.start(picture_request(small), make)
        assert not setup.predictor.start(picture_request(small), make)  # the only thread has work
        assert await waiter == (await setup.predictor.predict(picture_request(small))).body
        assert [each.version for each in results] == [DOUBLES]
        assert not setup.predictor.start(picture_request(large), make)
        assert orjson.loads((await setup.predictor.predict(picture_request(large))).body)["model_version"] == 1

    with closing(setup.predictor):
        asyncio.run(run())


def test_an_image_that_cannot_be_read_is_the_same_error_from_start_and_predict() -> None:
    setup, cut = PredictorSetup(), picture(1, size=(64, 64))[:-30]
    setup.models.get(DOUBLES.digest, photos)
    setup.looked_up.append(ModelReference("m"))

    async def run() -> None:
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        assert setup.predictor.start(picture_request(cut), lambda _: waiter)
        with pytest.raises(InvalidInstances) as direct:
            await waiter
        with pytest.raises(InvalidInstances) as predicted:
            await setup.predictor.predict(picture_request(cut))
        assert str(direct.value) == str(predicted.value)

    with closing(setup.predictor):
        asyncio.run(run())


def test_waiting_ends_at_the_deadline_or_when_the_client_disconnects() -> None:
    async def gone() -> None:
        return

    async def both() -> None:
        with pytest.raises(DeadlineExceeded):
            await setup.predictor.predict(request(deadline=time.perf_counter() + 0.05))
        with pytest.raises(ClientGone):
            await setup.predictor.predict(request(disconnected=gone))
        setup.open.set()

    setup = PredictorSetup()
    setup.open.clear()
    with closing(setup.predictor):
        asyncio.run(both())


def test_the_number_of_requests_waiting_for_a_thread_is_bounded() -> None:
    async def two() -> None:
        first = asyncio.create_task(setup.predictor.predict(request()))
        while not setup.looked_up:
            await asyncio.sleep(0)
        other = request()
        other.model = ModelReference("m", "2")
        with pytest.raises(Overloaded):
            await setup.predictor.predict(other)
        setup.open.set()
        await first

    setup = PredictorSetup(most_waiting=1)
    setup.open.clear()
    with closing(setup.predictor):
        asyncio.run(two())


def test_a_stream_is_answered_line_by_line() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for row in range(3):
            yield b"[%d,0,0]\n" % row

    async def lines() -> list[bytes]:
        streamed = request(b"", JSON_LINES, chunks=chunks())
        return b"".join([each async for each in setup.predictor.stream(streamed)]).splitlines()

    setup = PredictorSetup()
    with closing(setup.predictor):
        found = [float(each) for each in asyncio.run(lines())]
    model = warm(Network())
    expected = model.forward(torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]))[:, 0].tolist()
    assert found == pytest.approx(expected)
