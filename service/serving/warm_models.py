"""Models kept in memory, the least recently used given up first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import orjson
import torch

from service.serving.functional import Step, functional
from service.workflow.data.types.category import as_text
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.encode import answers_dtype, blank_row, raw_dtype, slots
from service.workflow.forward_cost import ForwardCost, measure
from service.workflow.model import Model
from service.workflow.preprocessing import network_inputs
from service.workflow.signature import Signature

FORWARD_BYTES = 32 * 2**20  # that one forward makes at most, unless one row takes more
FORWARD_WORK = 1_000_000_000  # multiplications of one forward: some tenths of a second of one core
RAW_BYTES = 8  # of a number before and after the network, at most; there are two of each at a time
LEAST_WORK = 10_000  # that a row counts for
WRITTEN_BYTES = 2**20  # of answers that are turned into JSON at a time
A_NUMBER = 24  # bytes that a number takes in JSON, and what stands around it
BESIDE = 40_000  # bytes of a small model's modules and signature, beside its tensors; the tiniest are not free


class Served:
    """A version by the name it is asked for: two names may share one warm model. `opening` is how its JSON begins."""

    __slots__ = ("_lines", "headers", "name", "number", "opening")

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.headers = [(b"model-name", name.encode()), (b"model-version", b"%d" % number)]
        self._lines = b"model-name: %b\r\nmodel-version: %d\r\n" % (name.encode(), number)
        self.opening = b'{"model_name":%b,"model_version":%d,"predictions":' % (orjson.dumps(name), number)

    def about(self, media_type: str) -> bytes:
        """Lines of the head of an answer of this media type."""
        return b"%bcontent-type: %b\r\n" % (self._lines, media_type.encode())


@dataclass(frozen=True)
class Warm:
    """A model ready to predict."""

    model: Model
    signature: Signature

    @cached_property
    def forward(self) -> Step:
        """The model as a function."""
        return functional(self.model)

    @cached_property
    def forward_of_whole(self) -> Step:
        """The same for rows that miss nothing."""
        return functional(self.model, missing=False)

    @cached_property
    def bytes(self) -> int:
        """What it takes in memory."""
        return BESIDE + sum(tensor.nbytes for tensor in self.model.tensors().values())

    @cached_property
    def cost(self) -> ForwardCost:
        """What a forward of one row takes."""
        inputs = network_inputs(self.signature.inputs, self.model.preprocessing)
        network = measure(self.model.network, inputs)
        around = slots(self.signature.inputs) + inputs.size + len(self.signature.outputs)
        return ForwardCost(network.bytes + 2 * RAW_BYTES * around, network.work + around)

    @cached_property
    def work(self) -> int:
        """What a row counts for: its forward, and that it is read and written, too."""
        return max(self.cost.work, LEAST_WORK)

    @cached_property
    def rows_at_once(self) -> int:
        """How many rows a forward may have: so many that what it makes of them is no more than is taken, nor takes long."""
        return max(1, min(FORWARD_BYTES // max(1, self.cost.bytes), FORWARD_WORK // self.work))

    @cached_property
    def rows_written(self) -> int:
        """How many rows are turned into JSON at a time: what is made of them before they are text takes several times as
        much, and other threads have to wait."""
        return max(1, min(4096, WRITTEN_BYTES // self.answer_bytes))

    @cached_property
    def answer_bytes(self) -> int:
        """About how many bytes the answer to a row has as JSON."""
        if self.signature.classifies:
            return A_NUMBER + sum(A_NUMBER + len(as_text(each)) for each in self.signature.classes)
        names = self.signature.task == "multilabel"
        return sum(A_NUMBER + (2 * len(each.name) if names else 0) for each in self.signature.outputs)

    @cached_property
    def width(self) -> int:
        """How many values a row has."""
        return len(self.signature.inputs)

    @cached_property
    def raw_dtype(self) -> "np.dtype[Any]":
        """Of raw rows: float32 or float64."""
        return raw_dtype(self.signature.inputs)

    @cached_property
    def answers_dtype(self) -> "np.dtype[Any]":
        """Of the answers: float32, or float64 if one of the outputs is."""
        return answers_dtype(self.signature.outputs)

    def blank_row(self) -> torch.Tensor:
        """The raw features of one row, all zeros."""
        return blank_row(self.signature.inputs)

    @cached_property
    def only_numbers(self) -> bool:
        """Whether a row of plain numbers is a raw row as it stands."""
        return not self.signature.has_missing_numbers and all(each.type == "number" for each in self.signature.inputs)

    @cached_property
    def has_categories(self) -> bool:
        """Whether a row can hold a category that the model does not know."""
        return any(COLUMN_TYPES[each.type].categorical for each in self.signature.inputs)

    @cached_property
    def one_number(self) -> bool:
        """Whether the answer to a row is one number."""
        return (
            not self.signature.classifies and self.signature.task != "multilabel" and len(self.signature.outputs) == 1
        )

    @cached_property
    def _served(self) -> dict[tuple[str, int], Served]:
        return {}

    def versions(self) -> list[tuple[str, int]]:
        """The versions that it was loaded for, or has answered for."""
        return list(self._served)

    def served(self, name: str, number: int) -> Served:
        """This model as that version; the same object for as long as the model is warm."""
        known = self._served.get((name, number))
        return known if known is not None else self._served.setdefault((name, number), Served(name, number))


class WarmModels:
    """Warm models by their version's digest, `most_bytes` of them at most; the newest one always stays, and one that is
    pinned goes only when no other is left."""

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
        """The model if it is warm. Takes no lock: the event loop must not wait for one who loads."""
        known = self._models.get(digest)
        if known is not None:
            self.hits += 1
            try:  # noqa: SIM105 - `suppress` takes three times as long, and this is in the way of every prediction
                self._models.move_to_end(digest)
            except KeyError:  # given up just now; it lives as long as it is used
                pass
        return known

    def get(self, digest: str, load: Callable[[], Warm]) -> Warm:
        """The model, loaded when it is not warm yet. One given up while it is in use lives until that use ends.

        However many ask for it at once, it is loaded once; loading one holds up none that are warm.
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
                    self._loading.pop(digest, None)  # names that cannot be loaded must not pile up
                raise
            with self._lock:
                self.loads += 1
                self._keep(digest, loaded)
                self._loading.pop(digest, None)
            return loaded

    def drop(self, digest: str) -> None:
        """Gives this one up, if it is warm; whoever asks for it next loads it again."""
        with self._lock:
            if (dropped := self._models.pop(digest, None)) is not None:
                self.bytes -= dropped.bytes

    def forget(self, gone: Callable[[str, int], bool]) -> None:
        """Gives up those of whose versions none is left: nobody can ask for them again."""
        for digest, model in list(self._models.items()):
            if (versions := model.versions()) and all(gone(*each) for each in versions):
                self.drop(digest)

    def pin(self, digests: Set[str]) -> None:
        """From now on keeps these as long as there are others to give up."""
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
