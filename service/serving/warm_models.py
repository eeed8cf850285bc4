"""Models kept in memory, the least recently used given up first."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from service.workflow.model import Model
from service.workflow.signature import Signature


@dataclass(frozen=True)
class Warm:
    """A model ready to predict."""

    model: Model
    signature: Signature

    @property
    def bytes(self) -> int:
        """What its tensors take."""
        return sum(tensor.nbytes for tensor in self.model.tensors().values())


class WarmModels:
    """Warm models by their version's digest, `most_bytes` of them at most; the newest one always stays."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._models: OrderedDict[str, Warm] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: str, load: Callable[[], Warm]) -> Warm:
        """The model, loaded when it is not warm yet. One given up while it is in use lives until that use ends."""
        with self._lock:
            if digest in self._models:
                self._models.move_to_end(digest)
                return self._models[digest]
        loaded = load()
        with self._lock:
            if digest not in self._models:
                self._models[digest] = loaded
                self._bytes += loaded.bytes
                while self._bytes > self._most_bytes and len(self._models) > 1:
                    _, given_up = self._models.popitem(last=False)
                    self._bytes -= given_up.bytes
            return self._models[digest]
