"""Warm models: bounded, loaded once, and never waiting for another's load."""

import threading
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn

from service.serving.warm_models import Warm, WarmModels
from service.workflow.losses import Output as Form
from service.workflow.model import Model
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task

SIGNATURE = Signature(
    task=Task("regression"),
    inputs=[Input(name="x", type="number")],
    outputs=[Output(name="y", type="number")],
)


def of(size: int) -> Warm:
    """A model of so many bytes."""
    network = nn.Module()
    network.register_buffer("numbers", torch.zeros(size // 4))
    return Warm(Model(network, None, None, Form.VALUE, Task("regression")), SIGNATURE)


def never() -> Warm:
    raise AssertionError("it is warm already")


def test_the_longest_unused_is_given_up() -> None:
    models = WarmModels(300)
    one, two = models.get("1", lambda: of(100)), models.get("2", lambda: of(100))
    assert models.get("1", never) is one
    models.get("3", lambda: of(200))
    assert models.get("1", never) is one
    again = models.get("2", lambda: of(100))
    assert again is not two


def test_the_newest_stays_however_large_it_is() -> None:
    models = WarmModels(10)
    large = models.get("large", lambda: of(1000))
    assert models.get("large", never) is large


def test_it_is_loaded_once_however_many_ask() -> None:
    models, loaded, all_ask = WarmModels(1000), [], threading.Barrier(8)

    def load() -> Warm:
        loaded.append(1)
        return of(100)

    def ask(_: int) -> Warm:
        all_ask.wait()
        return models.get("1", load)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(map(id, pool.map(ask, range(8))))) == 1
    assert len(loaded) == 1


def test_loading_one_holds_up_no_other() -> None:
    models, may_end = WarmModels(1000), threading.Event()
    warm = models.get("warm", lambda: of(100))

    def slow() -> Warm:
        assert may_end.wait(20)
        return of(100)

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(models.get, "slow", slow)
        assert models.get("warm", never) is warm
        assert models.get("other", lambda: of(100)).bytes == 100
        may_end.set()
        assert loading.result(20).bytes == 100


def test_a_load_that_fails_is_tried_again() -> None:
    models = WarmModels(1000)

    def fail() -> Warm:
        raise OSError

    for _ in range(2):
        try:
            models.get("1", fail)
        except OSError:
            continue
    assert models.get("1", lambda: of(100)).bytes == 100
