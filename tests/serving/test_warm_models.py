"""Warm models: bounded, loaded once, and independent of other loads."""

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn

from service.serving.served_version import ServedVersion
from service.serving.warm_models import MODEL_OVERHEAD, Warm, WarmModels
from service.workflow.losses import OutputKind
from service.workflow.model import Model
from service.workflow.signature import Input, Output, Signature
from service.workflow.tasks import Task

SIGNATURE = Signature(
    task=Task("regression"),
    inputs=[Input(name="x", type="number")],
    outputs=[Output(name="y", type="number")],
)


def of(size: int) -> Warm:
    """A model of this size in bytes."""
    network = nn.Module()
    network.register_buffer("numbers", torch.zeros((size - MODEL_OVERHEAD) // 4))
    return Warm(Model(network, None, None, OutputKind.VALUE, Task("regression")), SIGNATURE)


def filled(size: int) -> Warm:
    """The same, filled with ones: memory is not resident before it is written."""
    made = of(size)
    made.model.tensors()["numbers"].fill_(1)
    return made


def never() -> Warm:
    raise AssertionError("it is warm already")


def test_the_least_recently_used_model_is_evicted() -> None:
    models = WarmModels(300_000)
    one, two = models.get("1", lambda: of(100_000)), models.get("2", lambda: of(100_000))
    assert models.get("1", never) is one
    models.get("3", lambda: of(200_000))
    assert models.get("1", never) is one
    again = models.get("2", lambda: of(100_000))
    assert again is not two


def test_the_newest_model_stays_whatever_its_size() -> None:
    models = WarmModels(10)
    large = models.get("large", lambda: of(1_000_000))
    assert models.get("large", never) is large


def test_concurrent_requests_load_a_model_once() -> None:
    models, loaded, all_ask = WarmModels(1_000_000), [], threading.Barrier(8)

    def load() -> Warm:
        loaded.append(1)
        return of(100_000)

    def get(_: int) -> Warm:
        all_ask.wait()
        return models.get("1", load)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(map(id, pool.map(get, range(8))))) == 1
    assert len(loaded) == 1


def test_a_load_does_not_block_other_models() -> None:
    models, may_end = WarmModels(1_000_000), threading.Event()
    warm = models.get("warm", lambda: of(100_000))

    def slow() -> Warm:
        assert may_end.wait(20)
        return of(100_000)

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(models.get, "slow", slow)
        assert models.get("warm", never) is warm
        assert models.get("other", lambda: of(100_000)).bytes == 100_000
        may_end.set()
        assert loading.result(20).bytes == 100_000


def test_a_failed_load_is_retried() -> None:
    models = WarmModels(1_000_000)

    def fail() -> Warm:
        raise OSError

    for _ in range(2):
        try:
            models.get("1", fail)
        except OSError:
            continue
    assert models.get("1", lambda: of(100_000)).bytes == 100_000


def test_the_number_of_models_without_weights_is_bounded() -> None:
    models = WarmModels(10 * MODEL_OVERHEAD)
    for digest in range(50):
        models.get(str(digest), lambda: of(MODEL_OVERHEAD))
    assert len(models) == 10


def test_memory_is_released() -> None:
    """Released with the last reference; `benchmarks/run serving` measures the memory of the process."""
    models = WarmModels(50_000_000)
    weights = weakref.ref(models.get("large", lambda: filled(40_000_000)).model.get_buffer("network.numbers"))
    assert weights() is not None
    for digest in "12":
        models.get(digest, lambda: filled(10_000_000))
    assert models.known("large") is None
    assert weights() is None


def test_an_evicted_model_stays_usable_until_its_use_ends() -> None:
    models = WarmModels(100_000)
    used = models.get("1", lambda: filled(100_000))
    models.get("2", lambda: of(100_000))
    assert models.known("1") is None
    assert used.model.tensors()["numbers"].sum() == used.model.tensors()["numbers"].numel()


def test_models_of_deleted_versions_are_released() -> None:
    models = WarmModels(1_000_000)
    for digest, versions in (("a", [("line", 1)]), ("b", [("line", 2), ("copy", 1)]), ("c", [("other", 1)])):
        loaded = models.get(digest, lambda: of(100_000))
        for version in versions:
            loaded.versions.add(ServedVersion("digest", *version))
    models.forget(lambda name, number: name == "line")
    assert [digest for digest in "abc" if models.known(digest) is not None] == ["b", "c"]
    assert models.bytes == 200_000
