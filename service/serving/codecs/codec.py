"""What a codec is: a decoder from bytes to rows, and an encoder from a model's answers to bytes."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from service.serving.forward import Array
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.strict_json import memory_of

MOST_BYTES = 64 * 2**20
SMALL = 65_536  # bytes of a body that the event loop decodes itself, whatever is in it
QUICK = 262_144  # bytes of a body that it decodes itself if that takes less time than a change of threads

Rows = (
    torch.Tensor | list[list[float]]
)  # raw features [n, slots], or lists of numbers that become that together with others
# The bodies of a batch: the version, its model, the answers [n, outputs] to all, and how many of them each request has.
Write = Callable[[ServedVersion, Warm, Array, Sequence[int]], list[bytes]]


@dataclass(frozen=True, slots=True)
class Decoder:
    """How a body becomes rows: `decode` needs no model, `read` goes on from there.

    Args:
        in_loop: bytes of a body up to which the event loop does both itself.
        quick: reads what was decoded of a body of up to `QUICK` bytes, or returns None where that takes long.
        is_quick: whether a body of up to `QUICK` bytes can be decoded in the event loop, too.
        most: bytes that are accepted, once decompressed.
        memory_of: about how many bytes of memory decoding a body takes beside it.
        most_rows: about how many rows a body has at most, found without decoding it.
    """

    decode: Callable[[bytes], Any]
    read: Callable[[Warm, Any], Rows]
    in_loop: int = SMALL
    quick: Callable[[Warm, Any], Rows | None] | None = None
    is_quick: Callable[[bytes], bool] = lambda _: True
    most: int = MOST_BYTES
    memory_of: Callable[[bytes], int] = memory_of
    most_rows: Callable[[bytes], int] = lambda _: 1

    def in_event_loop(self, body: bytes) -> Callable[[Warm, Any], Rows | None] | None:
        """What reads this body in the event loop, once `decode` has decoded it there; None where a thread must do both."""
        if len(body) <= self.in_loop:
            return self.read
        return self.quick if len(body) <= QUICK and self.quick is not None and self.is_quick(body) else None


@dataclass(frozen=True, slots=True)
class Encoder:
    """How answers become the bodies of their requests."""

    media_type: str
    write: Write
    by_polars: bool = False

    @property
    def imports(self) -> bool:
        """Whether `write` must import polars first, which takes so long that a thread must do it."""
        return self.by_polars and not polars_is_loaded()


def split(answers: Array, counts: Sequence[int]) -> Iterator[Array]:
    """The answers of each request in a batch, whose requests have `counts` rows."""
    start = 0
    for count in counts:
        yield answers[start : start + count]
        start += count


class JsonThenBytes(bytes):
    """A body of JSON and of bytes after it."""

    json_length: int


def polars_is_loaded() -> bool:
    """Whether polars is imported. While another thread imports it, an import waits as long as that takes."""
    found = sys.modules.get("polars")
    return found is not None and not getattr(found.__spec__, "_initializing", False)
