"""Decoders from bytes to rows, and encoders from a model's answers to bytes."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.serving.forward import Array
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.strict_json import memory_of
from service.workflow.input_tensors import Tensors

MOST_BYTES = 64 * 2**20
SMALL = 65_536  # bytes up to which the event loop decodes any body
QUICK = 262_144  # bytes up to which it decodes a body if that is faster than a change of threads

# Raw features of n rows, or lists of numbers that become raw features [n, w] together with others.
Rows = Tensors | list[list[float]]
# The bodies of a batch: the version, its model, the answers [n, outputs] to all, and how many of them each request has.
Write = Callable[[ServedVersion, Warm, Array, Sequence[int]], list[bytes]]


@dataclass(frozen=True, slots=True)
class Decoder:
    """Decodes a body in two steps.

    Args:
        decode: parses the body, without the model.
        read: makes rows of the result for a model.
        in_loop: bytes of a body up to which the event loop does both.
        quick: as `read`, for a body of up to `QUICK` bytes in the event loop; gives None if that takes long.
        is_quick: whether the event loop may `decode` a body of up to `QUICK` bytes.
        most: the limit on a body in bytes, once decompressed.
        memory_of: gives about how many bytes of memory decoding a body takes beside it.
        most_rows: gives about how many rows a body has at most, without decoding it.
        is_small: whether `decode` leaves this body as it is, and `read` takes about as long as a change of threads, but too long
            for the event loop: the thread of the forward does it too.
    """

    decode: Callable[[bytes], Any]
    read: Callable[[Warm, Any], Rows]
    in_loop: int = SMALL
    quick: Callable[[Warm, Any], Rows | None] | None = None
    is_quick: Callable[[bytes], bool] = lambda _: True
    most: int = MOST_BYTES
    memory_of: Callable[[bytes], int] = memory_of
    most_rows: Callable[[bytes], int] = lambda _: 1
    is_small: Callable[[Warm, bytes], bool] = lambda *_: False

    def in_event_loop(self, warm: Warm, body: bytes) -> Callable[[Warm, Any], Rows | None] | None:
        """The second step for this body in the event loop; None if a thread must do both steps."""
        if warm.quick_bytes is not None and len(body) > warm.quick_bytes:
            return None
        if len(body) <= self.in_loop:
            return self.read
        return self.quick if len(body) <= QUICK and self.quick is not None and self.is_quick(body) else None


@dataclass(frozen=True, slots=True)
class Encoder:
    """Encodes the answers of a batch to the bodies of its requests, which are at most `times` as large as those without an
    interval."""

    media_type: str
    write: Write
    by_polars: bool = False
    times: int = 1

    @property
    def imports(self) -> bool:
        """Whether `write` must import polars first, which takes too long for the event loop."""
        return self.by_polars and not polars_is_loaded()


def split(answers: Array, counts: Sequence[int]) -> Iterator[Array]:
    """The answers of each request in a batch, whose requests have `counts` rows."""
    start = 0
    for count in counts:
        yield answers[start : start + count]
        start += count


class JsonThenBytes(bytes):
    """A body of JSON and tensors as bytes after it."""

    json_length: int


def polars_is_loaded() -> bool:
    """Whether polars is completely imported: while another thread imports it, an import would wait."""
    found = sys.modules.get("polars")
    return found is not None and not getattr(found.__spec__, "_initializing", False)
