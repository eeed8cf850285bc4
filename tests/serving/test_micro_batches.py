"""Micro-batches: waiting requests share a forward, failures stay separate, and the queue is bounded."""

import asyncio
import threading
import time
from typing import Any

import numpy as np
import orjson
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from service.serving.codecs.codec import Encoder
from service.serving.codecs.json import json_bodies
from service.serving.errors import DeadlineExceeded, Overloaded, PredictionFailed
from service.serving.micro_batches import MOST_BATCH_ROWS, MicroBatches
from service.serving.pending_prediction import FULL_PLACE_WORK, PendingPrediction
from service.serving.served_version import ServedVersion
from service.serving.warm_models import LEAST_WORK, Warm
from service.workflow.losses import OutputKind
from service.workflow.model import Model
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task

VERSION, ENCODER = ServedVersion("digest", "m", 1), Encoder("application/json", json_bodies)
ROWS = st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=1, max_size=8)


class UnsetWaiter:
    """A placeholder that `submit` replaces with a future of the running loop."""

    def done(self) -> bool:
        raise AssertionError("not submitted yet")

    def set_result(self, result: bytes) -> None:
        raise AssertionError("not submitted yet")

    def set_exception(self, exception: Exception) -> None:
        raise AssertionError("not submitted yet")


class Network(nn.Module):
    """An MLP that raises for values above `bound`, counts its forwards, and sleeps for `seconds` in each."""

    def __init__(self, seconds: float = 0.0, bound: float = 1e9) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
        self.seconds, self.bound = seconds, bound
        self.forwards: list[int] = []

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        self.forwards.append(len(raw))
        time.sleep(self.seconds)
        if raw.max() > self.bound:
            raise RuntimeError("too much")
        answer: torch.Tensor = self.layers(raw)
        return answer


def warm(network: Network) -> Warm:
    inputs = [Input(name=f"x{i}", type="number") for i in range(3)]
    signature = Signature(task=Task("regression"), inputs=inputs, outputs=[Output(name="y", type="number")])
    made, seconds = Warm(Model(network, None, None, OutputKind.VALUE, Task("regression")), signature), network.seconds
    network.seconds = 0
    assert made.work == LEAST_WORK  # measures the cost now, so that its forwards are not counted
    network.seconds = seconds
    network.forwards.clear()
    return made


def batches(*, light: int = 10**9, places: int = 100) -> MicroBatches:
    return MicroBatches(light=light, threads=1, places=places, observe=lambda *_: None)


def pending(model: Warm, rows: Any, **about: Any) -> PendingPrediction:
    return PendingPrediction(VERSION, model, rows, ENCODER, UnsetWaiter(), **about)


def submit(run: MicroBatches, each: PendingPrediction) -> "asyncio.Future[bytes]":
    waiter = each.waiter = asyncio.get_running_loop().create_future()
    run.submit(each)
    return waiter


def numbers(body: bytes) -> Any:
    return orjson.loads(body)["predictions"]


async def answers(run: MicroBatches, requests: list[PendingPrediction]) -> list[Any]:
    try:
        return await asyncio.gather(*[submit(run, each) for each in requests], return_exceptions=True)
    finally:
        run.close()


@settings(deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=6))
def test_a_shared_forward_gives_the_same_answers(requests: list[Any]) -> None:
    model = warm(network := Network())
    together = asyncio.run(answers(batches(), [pending(model, rows) for rows in requests]))
    assert len(network.forwards) == 1
    alone = [numbers(asyncio.run(answers(batches(), [pending(model, rows)]))[0]) for rows in requests]
    magnitude = max(1.0, max(abs(value) for rows in alone for value in rows))
    for body, expected in zip(together, alone, strict=True):
        assert np.allclose(numbers(body), expected, rtol=0, atol=1e-5 * magnitude)
        assert orjson.loads(body).keys() == {"model_name", "model_version", "predictions"}


def test_a_failing_request_does_not_fail_others_in_its_batch() -> None:
    model = warm(Network(bound=10))
    good, bad, other = asyncio.run(
        answers(batches(), [pending(model, [[1.0] * 3]), pending(model, [[99.0] * 3]), pending(model, [[2.0] * 3])])
    )
    assert isinstance(bad, PredictionFailed)
    assert len(numbers(good)) == len(numbers(other)) == 1


def test_a_request_that_is_not_mergeable_is_not_merged() -> None:
    model = warm(network := Network())
    requests = [
        pending(model, torch.ones(2, 3)),
        pending(model, torch.ones(1, 3), mergeable=False),
        pending(model, [[1.0] * 3]),
    ]
    asyncio.run(answers(batches(), requests))
    assert network.forwards == [2, 1, 1]


def test_a_request_is_not_split_and_batches_are_bounded() -> None:
    model = warm(network := Network())
    sizes = [MOST_BATCH_ROWS + 5, 400, 400, 300, 3]
    given = asyncio.run(answers(batches(), [pending(model, torch.ones(size, 3)) for size in sizes]))
    assert [len(numbers(body)) for body in given] == sizes
    assert network.forwards == [MOST_BATCH_ROWS + 5, 800, 303]  # a request that fills a batch does not wait


def test_heavy_work_runs_in_a_thread_and_waiting_requests_share_the_next_forward() -> None:
    async def story() -> list[int]:
        model = warm(network := Network(seconds=0.5))
        run = batches(light=0)
        first = submit(run, pending(model, [[0.0] * 3]))
        await asyncio.sleep(0.05)
        rest = [submit(run, pending(model, [[0.0] * 3])) for _ in range(5)]
        await asyncio.sleep(0)
        assert not first.done()
        await asyncio.gather(first, *rest)
        run.close()
        return network.forwards

    assert asyncio.run(story()) == [1, 5]


def test_requests_above_the_queue_limit_are_refused_and_a_withdrawn_one_frees_its_place() -> None:
    async def story() -> None:
        model = warm(Network(seconds=0.3))
        run = batches(light=0, places=1)
        running = submit(run, pending(model, [[0.0] * 3]))
        await asyncio.sleep(0.05)
        requests = [pending(model, [[0.0] * 3]) for _ in range(8)]  # small ones that take an eighth of a place each
        waiting = [submit(run, each) for each in requests]
        assert not run.has_room(model, 1)
        with pytest.raises(Overloaded):
            submit(run, pending(model, [[0.0] * 3]))
        run.withdraw(requests[0])
        assert run.waiting == 7 and run.has_room(model, 1)
        last = submit(run, pending(model, [[0.0] * 3]))
        await asyncio.gather(running, *waiting[1:], last)
        assert run.waiting == 0
        run.close()

    asyncio.run(story())


def test_a_large_request_takes_a_whole_place_and_is_not_merged() -> None:
    async def story() -> list[int]:
        model = warm(network := Network(seconds=0.2))
        run = batches(light=0, places=2)
        large = torch.zeros(FULL_PLACE_WORK // LEAST_WORK, 3)
        running = submit(run, pending(model, large))
        await asyncio.sleep(0.05)
        waiting = [submit(run, pending(model, large)) for _ in range(2)]
        with pytest.raises(Overloaded):
            submit(run, pending(model, [[0.0] * 3]))
        await asyncio.gather(running, *waiting)
        run.close()
        return network.forwards

    assert asyncio.run(story()) == [FULL_PLACE_WORK // LEAST_WORK] * 3


@pytest.mark.parametrize("light", [0, 10**9])
def test_a_deadline_holds_in_the_queue_and_in_the_forward(light: int) -> None:
    model = warm(network := Network(seconds=0.05))
    now = time.perf_counter()
    late, during, good = asyncio.run(
        answers(
            batches(light=light),
            [pending(model, [[0.0] * 3], deadline=each) for each in (now - 1, now + 0.03, now + 60)],
        )
    )
    assert isinstance(late, DeadlineExceeded) and isinstance(during, DeadlineExceeded)
    assert len(numbers(good)) == 1 and network.forwards == [2]


def test_non_finite_numbers_are_null_in_a_shared_batch() -> None:
    model = warm(Network())
    rows = np.array([[float("nan")], [2.0], [float("inf")]], dtype=np.float32)
    bodies = json_bodies(VERSION, model, rows, [1, 2])
    assert [numbers(body) for body in bodies] == [[None], [2.0, None]]


def test_a_thread_that_works_alone_is_free_when_it_has_ended_not_when_its_answer_is_no_longer_awaited() -> None:
    may_end = threading.Event()

    async def run() -> None:
        made, loop = batches(), asyncio.get_running_loop()
        abandoned: asyncio.Future[bytes] = loop.create_future()
        made.run_alone(lambda: b"late" if may_end.wait(60) else b"", abandoned, None)
        assert not made.has_free_thread()
        abandoned.cancel()
        await asyncio.sleep(0)
        assert not made.has_free_thread()
        may_end.set()
        while not made.has_free_thread():
            await asyncio.sleep(0.001)
        answered: asyncio.Future[bytes] = loop.create_future()
        made.run_alone(lambda: b"answered", answered, None)
        assert await answered == b"answered"
        made.close()

    asyncio.run(run())


def test_a_deadline_passes_while_a_thread_works_alone() -> None:
    may_end = threading.Event()

    async def run() -> None:
        made, loop = batches(), asyncio.get_running_loop()
        late: asyncio.Future[bytes] = loop.create_future()
        made.run_alone(lambda: b"late" if may_end.wait(60) else b"", late, time.perf_counter() + 0.01)
        with pytest.raises(DeadlineExceeded):
            await late
        assert not made.has_free_thread()  # its thread cannot be stopped
        may_end.set()
        made.close()

    asyncio.run(run())


def test_work_alone_that_raises_gives_its_error_and_frees_the_thread() -> None:
    def work() -> bytes:
        raise Overloaded

    async def run() -> None:
        made = batches()
        failed: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        made.run_alone(work, failed, time.perf_counter() + 60)
        with pytest.raises(Overloaded):
            await failed
        assert made.has_free_thread()
        made.close()

    asyncio.run(run())


def test_what_waits_behind_a_thread_that_works_alone_is_computed_when_it_has_ended() -> None:
    may_end, model = threading.Event(), warm(Network())

    async def run() -> None:
        made, loop = batches(light=0), asyncio.get_running_loop()
        alone: asyncio.Future[bytes] = loop.create_future()
        made.run_alone(lambda: b"alone" if may_end.wait(60) else b"", alone, None)
        behind = pending(model, torch.zeros(1, 3))
        behind.waiter = waiter = loop.create_future()
        made.submit(behind)
        await asyncio.sleep(0)
        assert made.waiting == 1
        may_end.set()
        assert await alone == b"alone"
        assert len(numbers(await waiter)) == 1
        made.close()

    asyncio.run(run())
