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
        self._loading: dict[str, threading.Lock] = {}

    def get(self, digest: str, load: Callable[[], Warm]) -> Warm:
        """The model, loaded when it is not warm yet. One given up while it is in use lives until that use ends.

        However many ask for it at once, it is loaded once; loading one holds up none that are warm.
        """
        with self._lock:
            if (known := self._recall(digest)) is not None:
                return known
            loading = self._loading.setdefault(digest, threading.Lock())
        with loading:
            with self._lock:
                if (known := self._recall(digest)) is not None:
                    return known
            loaded = load()
            with self._lock:
                self._keep(digest, loaded)
                self._loading.pop(digest, None)
            return loaded

    def _recall(self, digest: str) -> Warm | None:
        if digest in self._models:
            self._models.move_to_end(digest)
        return self._models.get(digest)

    def _keep(self, digest: str, loaded: Warm) -> None:
        self._models[digest] = loaded
        self._bytes += loaded.bytes
        while self._bytes > self._most_bytes and len(self._models) > 1:
            _, given_up = self._models.popitem(last=False)
            self._bytes -= given_up.bytes
