"""A cache of loaded models that evicts the least recently used."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from service.serving.functional import Step, functional
from service.serving.served_version import ServedVersion
from service.workflow.conformal import Conformal
from service.workflow.data.types.category import as_text
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.encode import answers_dtype, blank_row, raw_dtype, raw_width, shaped_inputs
from service.workflow.forward_cost import ForwardCost, measure
from service.workflow.input_tensors import Tensors
from service.workflow.model import Model
from service.workflow.preprocessing import network_inputs
from service.workflow.signature import Signature

FORWARD_BYTES = 32 * 2**20  # the most that one forward allocates, unless one row takes more
FORWARD_WORK = 1_000_000_000  # multiplications of one forward: some tenths of a second of one core
SHAPED_BYTES = 64 * 2**20  # of an input whose values have a shape, for rows of a stream
RAW_BYTES = 8  # of a number before and after the network, at most; two copies of each exist at a time
LEAST_WORK = 10_000  # of a row
CHUNK_BYTES = 2**20  # of answers that are encoded as JSON at a time
NUMBER_BYTES = 24  # bytes of a number in JSON, with its separators
MODEL_OVERHEAD = 40_000  # bytes of a small model's modules and signature, beside its tensors; the tiniest are not free


@dataclass(frozen=True)
class Warm:
    """A model ready to predict; `conformal` gives its intervals or sets, if it has any."""

    model: Model
    signature: Signature
    conformal: Conformal | None = None

    @cached_property
    def forward(self) -> Step:
        """The forward as a function."""
        return functional(self.model)

    @cached_property
    def forward_of_complete(self) -> Step:
        """The same for rows without missing values."""
        return functional(self.model, missing=False)

    @cached_property
    def bytes(self) -> int:
        """About how many bytes of memory it takes."""
        return MODEL_OVERHEAD + sum(tensor.nbytes for tensor in self.model.tensors().values())

    @cached_property
    def cost(self) -> ForwardCost:
        """The memory and the work of a forward of one row."""
        inputs = network_inputs(self.signature.inputs, self.model.preprocessing)
        network = measure(self.model.network, inputs)
        around = raw_width(self.signature.inputs) + inputs.size + len(self.signature.outputs)
        return ForwardCost(network.bytes + 2 * RAW_BYTES * around, network.work + around)

    @cached_property
    def work(self) -> int:
        """The work of a row, including that of decoding and encoding it."""
        return max(self.cost.work, LEAST_WORK)

    @cached_property
    def rows_at_once(self) -> int:
        """The most rows of one forward, by `FORWARD_BYTES` and `FORWARD_WORK`."""
        return max(1, min(FORWARD_BYTES // max(1, self.cost.bytes), FORWARD_WORK // self.work))

    @cached_property
    def most_rows(self) -> int:
        """The most rows whose values that have a shape are read at once, by `SHAPED_BYTES`."""
        sizes = [kind.blank(each, 1).nbytes for each, kind in shaped_inputs(self.signature.inputs)]
        return max(1, SHAPED_BYTES // max(sizes, default=1))

    @cached_property
    def rows_per_chunk(self) -> int:
        """The rows that are encoded as JSON at a time: their Python objects take several times the memory of the text, and
        other threads have to wait meanwhile."""
        return max(1, min(4096, CHUNK_BYTES // self.answer_bytes))

    @cached_property
    def answer_bytes(self) -> int:
        """About how many bytes of JSON the answer to a row has."""
        if self.signature.classifies:
            return NUMBER_BYTES + sum(NUMBER_BYTES + len(as_text(each)) for each in self.signature.classes)
        names = self.signature.task == "multilabel"
        return sum(NUMBER_BYTES + (2 * len(each.name) if names else 0) for each in self.signature.outputs)

    @cached_property
    def width(self) -> int:
        """The values of a row."""
        return len(self.signature.inputs)

    @cached_property
    def raw_dtype(self) -> "np.dtype[Any]":
        """Of raw rows: float32 or float64."""
        return raw_dtype(self.signature.inputs)

    @cached_property
    def answers_dtype(self) -> "np.dtype[Any]":
        """Of the answers: float32, or float64 if one of the outputs is."""
        return answers_dtype(self.signature.outputs)

    def blank_row(self) -> Tensors:
        """Raw features of one row, all zeros, for a dry run."""
        return blank_row(self.signature.inputs)

    @cached_property
    def only_numbers(self) -> bool:
        """Whether a row of numbers needs no conversion to a raw row."""
        return not self.signature.has_missing_numbers and all(each.type == "number" for each in self.signature.inputs)

    @cached_property
    def quick_bytes(self) -> int | None:
        """The bytes of a request up to which its values are read quickly, however they are written; None if its size does not
        matter beside their format, as it is for the columns of a table."""
        return min((kind.quick_bytes for _, kind in shaped_inputs(self.signature.inputs)), default=None)

    @cached_property
    def has_categories(self) -> bool:
        """Whether a row may have categories that are unknown to the model."""
        return any(COLUMN_TYPES[each.type].categorical for each in self.signature.inputs)

    @cached_property
    def has_scalar_answer(self) -> bool:
        """Whether the answer to a row is one number."""
        return (
            not self.signature.classifies and self.signature.task != "multilabel" and len(self.signature.outputs) == 1
        )

    @cached_property
    def versions(self) -> set[ServedVersion]:
        """The versions that use this model."""
        return set()


class WarmModels:
    """Loaded models by digest, in at most `most_bytes`. The newest one always stays, and a pinned one is evicted only if no
    other is left. Thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.bytes = 0
        self.hits = 0
        self.loads = 0
        self._models: OrderedDict[str, Warm] = OrderedDict()
        self._pinned: Set[str] = frozenset()
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}

    def __len__(self) -> int:
        return len(self._models)

    def known(self, digest: str) -> Warm | None:
        """The model if it is loaded. Takes no lock, so that the event loop never waits for a load."""
        known = self._models.get(digest)
        if known is not None:
            self.hits += 1
            try:  # noqa: SIM105 - `suppress` takes three times as long, and this is in the way of every prediction
                self._models.move_to_end(digest)
            except KeyError:  # evicted meanwhile; a model in use stays alive
                pass
        return known

    def get(self, digest: str, load: Callable[[], Warm]) -> Warm:
        """Returns the model, loaded if need be. Concurrent calls load it once, and do not delay those for other models.

        Args:
            digest: of its version.
            load: loads it, and may raise.
        """
        with self._lock:
            if (known := self.known(digest)) is not None:
                return known
            loading = self._loading.setdefault(digest, threading.Lock())
        with loading:
            with self._lock:
                if (known := self.known(digest)) is not None:
                    return known
            try:
                loaded = load()
            except BaseException:
                with self._lock:
                    self._loading.pop(digest, None)  # failed digests must not accumulate
                raise
            with self._lock:
                self.loads += 1
                self._keep(digest, loaded)
                self._loading.pop(digest, None)
            return loaded

    def drop(self, digest: str) -> None:
        """Evicts a model, if it is loaded; the next `get` loads it again."""
        with self._lock:
            if (dropped := self._models.pop(digest, None)) is not None:
                self.bytes -= dropped.bytes

    def forget(self, gone: Callable[[str, int], bool]) -> None:
        """Evicts the models whose versions are all deleted.

        Args:
            gone: whether the version with this name and number is deleted.
        """
        for digest, model in list(self._models.items()):
            if (versions := list(model.versions)) and all(gone(each.name, each.number) for each in versions):
                self.drop(digest)

    def newest(self, most: int) -> list[tuple[list[ServedVersion], int]]:
        """Up to `most` models, the most recently used first: the versions that each answers for, and its bytes."""
        models = list(self._models.values())[: -most - 1 : -1]
        return [(list(each.versions), each.bytes) for each in models]

    def pin(self, digests: Set[str]) -> None:
        """Sets the models that are evicted last."""
        self._pinned = digests

    def _keep(self, digest: str, loaded: Warm) -> None:
        if (before := self._models.pop(digest, None)) is not None:
            self.bytes -= before.bytes
        self._models[digest] = loaded
        self.bytes += loaded.bytes
        while self.bytes > self._most_bytes and len(self._models) > 1:
            oldest = [each for each in self._models if each != digest]
            given_up = next((each for each in oldest if each not in self._pinned), oldest[0])
            self.bytes -= self._models.pop(given_up).bytes
