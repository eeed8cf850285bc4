"""The forms of predictions: which reader turns a body into rows, and which writer turns answers into a body. A format is
one line in each table of `service/serving/formats/`; another server's protocol is a dialect."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import torch
from fastapi import Response

from service.api.accept import choose
from service.api.bodies import MOST_JSON_BYTES
from service.api.errors import UnsupportedMediaType
from service.api.json import decode_json, json_weight
from service.serving import formats
from service.serving.answers import Array, json_bodies
from service.serving.batches import Writer
from service.serving.fast_json import WORTH_IT, fast
from service.serving.input_values import greatest_of
from service.serving.instances import from_body, from_document, plain_rows
from service.serving.warm_models import Served, Warm
from service.strict_json import count_brackets

MOST_BYTES = 64 * 2**20
JSON = "application/json"
JSON_LINES = "application/x-ndjson"
NPY = "application/x-npy"
WITHOUT_POLARS = frozenset({NPY, JSON_LINES})  # is written what is of these types; the others need it
SMALL = 65_536  # bytes of a body that the event loop reads itself, whatever stands in it
QUICK = 262_144  # bytes of a body that it reads itself if that takes less time than a change of threads
FEW = 16_384  # lists and objects in JSON of up to so many bytes that it reads itself, whatever stands in them

Headers = dict[bytes, bytes]
Rows = torch.Tensor | list[list[float]]  # a raw tensor, or rows of numbers that become one with those of others


@dataclass(frozen=True)
class Reader:
    """How a body becomes rows. `decode` says what can be said without a model, `read` goes on from there; the event loop does
    both itself for a body of up to `in_loop` bytes. Up to `QUICK` bytes it reads what was decoded by `quick`, if there is
    that and does not come to None; if `few`, only of JSON with few lists and objects. `most` bytes are taken, once
    decompressed; `weight` says about how many more a body takes while it is read."""

    decode: Callable[[bytes], Any]
    read: Callable[[Warm, Any], Rows]
    in_loop: int = SMALL
    quick: Callable[[Warm, Any], Rows | None] | None = None
    few: bool = False
    most: int = MOST_BYTES
    weight: Callable[[bytes], int] = json_weight

    def at_once(self, warm: Warm, body: bytes) -> tuple[Any, Rows | None]:
        """What was decoded, and its rows, read by the event loop; no rows where that would take too long.

        Raises:
            RequestError, WorkflowError: the body is wrong.
        """
        if len(body) <= self.in_loop:
            decoded = self.decode(body)
            return decoded, self.read(warm, decoded)
        if self.quick is None or len(body) > QUICK or (self.few and not _are_few(body)):
            return None, None
        decoded = self.decode(body)
        return decoded, self.quick(warm, decoded)


@dataclass(frozen=True)
class Form:
    """How answers become a body."""

    media_type: str
    write: Writer
    told: list[tuple[bytes, bytes]] = field(default_factory=list)  # headers that are known once it is written
    by_polars: bool = False

    @property
    def apart(self) -> bool:
        """Whether it had better be written in a thread, however small."""
        return self.by_polars and not _polars_is_loaded()


@dataclass(frozen=True)
class Dialect:
    """How one kind of client asks for predictions: by the headers, how its body is read; by what was decoded, how the
    answer is written; and what it is told instead of a problem document."""

    reader: Callable[[Headers], Reader]
    form: Callable[[Headers, Any], Form]
    refuse: Callable[[Response], Response]


def _decode(body: bytes) -> Any:
    """JSON, decoded; but a large body stays as it is, because it can perhaps be read faster."""
    return decode_json(body) if len(body) < WORTH_IT else body


def _read_json(warm: Warm, decoded: Any) -> Rows:
    """Rows of plain numbers as they are; all else checked value by value."""
    if isinstance(decoded, bytes):
        if (raw := fast(decoded, warm.signature, warm.model.fills_missing)) is not None:
            return raw
        decoded = decode_json(decoded)
    rows = _plain(warm, decoded)
    return from_document(warm.signature, decoded, warm.model.fills_missing) if rows is None else rows


def _read_json_quickly(warm: Warm, body: bytes) -> Rows | None:
    """The same, where it does not take long."""
    if (raw := fast(body, warm.signature, warm.model.fills_missing)) is not None:
        return raw
    return _read_json(warm, decode_json(body)) if _are_few(body) else None


def read_envelope(warm: Warm, document: Any) -> Rows:
    """The rows of `{"instances": […]}` or `{"inputs": {…}}`, for the dialects."""
    rows = _plain(warm, document)
    return from_body(warm.signature, document, warm.model.fills_missing) if rows is None else rows


def _plain(warm: Warm, document: Any) -> list[list[float]] | None:
    return plain_rows(document, warm.width, greatest_of(warm.raw_dtype)) if warm.only_numbers else None


def _are_few(body: bytes) -> bool:
    return count_brackets(body) <= FEW


def _reader(media_type: str, read: formats.Read) -> Reader:
    def rows(warm: Warm, body: bytes) -> Rows:
        return read(body, warm.signature, warm.model.fills_missing)

    def quickly(warm: Warm, body: bytes) -> Rows | None:
        if media_type not in WITHOUT_POLARS and not _polars_is_loaded():
            return None
        return formats.SMALL_READERS[media_type](body, warm.signature, warm.model.fills_missing)

    weight = formats.WEIGHTS[media_type]
    if media_type == NPY:
        return Reader(lambda body: body, rows, in_loop=QUICK, weight=weight)
    return Reader(lambda body: body, rows, in_loop=0, quick=quickly, weight=weight)


def _form(media_type: str, write: formats.Write) -> Form:
    def bodies(served: Served, warm: Warm, answers: Array, counts: Sequence[int]) -> list[bytes]:
        ends = accumulate(counts)
        return [write(warm, answers[end - count : end]) for end, count in zip(ends, counts, strict=True)]

    return Form(media_type, bodies, by_polars=media_type not in WITHOUT_POLARS)


def _polars_is_loaded() -> bool:
    """Its first import takes a while; who asks for it while another thread is at it waits as long."""
    found = sys.modules.get("polars")
    return found is not None and not getattr(found.__spec__, "_initializing", False)


READERS = {JSON: Reader(_decode, _read_json, quick=_read_json_quickly, most=MOST_JSON_BYTES)} | {
    each: _reader(each, read) for each, read in formats.READERS.items()
}
FORMS = {JSON: Form(JSON, json_bodies)} | {each: _form(each, write) for each, write in formats.WRITERS.items()}


def reader(content_type: str) -> Reader:
    """How to read a body of this Content-Type.

    Raises:
        UnsupportedMediaType: nobody here can.
    """
    found = READERS.get(content_type)
    if found is None:
        given = content_type.split(";", 1)[0].strip().lower()
        found = READERS[JSON] if not given or given.endswith("+json") else READERS.get(given)
        if found is None:
            raise UnsupportedMediaType(f"expected Content-Type: {', '.join(READERS)}")
    return found


def accepted(headers: Headers, first: str = JSON) -> Form:
    """The form of the answer that a client accepts; the first one for who takes anything.

    Raises:
        NotAcceptable: it takes none that can be written.
    """
    accept = headers.get(b"accept", b"*/*").decode("latin-1")
    if accept == "*/*":
        return FORMS[first]
    return FORMS.get(accept) or FORMS[choose(accept, OFFERED)]


def _kind(headers: Headers) -> str:
    return headers.get(b"content-type", b"").decode("latin-1")


OFFERED = tuple(FORMS)
NATIVE = Dialect(
    reader=lambda headers: reader(_kind(headers)),
    # JSON Lines are answered in kind, unless something else is asked for.
    form=lambda headers, _: accepted(headers, JSON_LINES if reader(_kind(headers)) is READERS[JSON_LINES] else JSON),
    refuse=lambda problem: problem,
)
