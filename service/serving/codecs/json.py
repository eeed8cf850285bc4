"""JSON: rows in `{"instances": […]}`, columns in `{"inputs": {…}}`; predictions with the model's name and version."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson

from service.serving.codecs.asked_interval import FIELD, AskedInterval, check_intervals, in_document
from service.serving.codecs.codec import Decoder, Encoder, Rows, split
from service.serving.codecs.fast_json import LEAST_FAST_BYTES, read_fast
from service.serving.codecs.input_values import largest_number_of
from service.serving.codecs.instances import from_body, from_document, plain_rows
from service.serving.forward import Array, forward
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.strict_json import count_brackets, decode_body
from service.workflow.data.types.category import as_text
from service.workflow.decision import decide_array
from service.workflow.input_tensors import Tensors
from service.workflow.tasks import LABEL_THRESHOLD, Task

MEDIA_TYPE = "application/json"
MOST_BYTES = 16 * 2**20
FEW = 16_384  # the most lists and objects of a body that the event loop decodes
NUMPY = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
INTERVAL = b'"%b"' % FIELD.encode()


def json_decoder(decode: Callable[[bytes], Any], read: Callable[[Warm, Any], Rows]) -> Decoder:
    """The decoder of another protocol's JSON. The event loop decodes only bodies with few lists and objects."""
    return Decoder(decode, read, quick=read, is_quick=_has_few_containers, most=MOST_BYTES)


def _decode(body: bytes) -> Any:
    """Decodes a small body, or one that asks for intervals; another large one is left to `read_fast`."""
    return in_document(decode_body(body)) if len(body) < LEAST_FAST_BYTES or INTERVAL in body else body


def _read(warm: Warm, decoded: Any) -> Rows:
    """Reads a body or a document; anything but plain numbers is checked value by value."""
    if isinstance(decoded, AskedInterval):
        check_intervals(warm, decoded.level)
        decoded = decoded.decoded
    if isinstance(decoded, bytes):
        if (raw := read_fast(decoded, warm.signature, warm.model.fills_missing)) is not None:
            return raw
        decoded = decode_body(decoded)
    rows = _plain_rows(warm, decoded)
    return from_document(warm.signature, decoded, warm.model.fills_missing) if rows is None else rows


def _read_quickly(warm: Warm, body: Any) -> Rows | None:
    if isinstance(body, AskedInterval):
        return _read(warm, body)
    if (raw := read_fast(body, warm.signature, warm.model.fills_missing)) is not None:
        return raw
    return _read(warm, decode_body(body)) if _has_few_containers(body) else None


def read_envelope(warm: Warm, document: Any) -> Rows:
    """The rows of `{"instances": [...]}` or `{"inputs": {...}}`.

    Raises:
        InvalidInstances: what is wrong, by row and column.
    """
    rows = _plain_rows(warm, document)
    return from_body(warm.signature, document, warm.model.fills_missing) if rows is None else rows


def _plain_rows(warm: Warm, document: Any) -> list[list[float]] | None:
    return plain_rows(document, warm.width, largest_number_of(warm.raw_dtype)) if warm.only_numbers else None


def _has_few_containers(body: bytes) -> bool:
    return count_brackets(body) <= FEW


def _most_rows(body: bytes) -> int:
    return max(body.count(b"["), body.count(b"{")) - 1


def predictions(warm: Warm, raw: Tensors) -> Any:
    """The predictions for raw features, as `values` gives them."""
    return values(warm, forward(warm, raw))


def values(warm: Warm, answers: Array) -> Any:
    """The predictions as JSON values, one for each row: a number, a list of numbers for several targets, `{label,
    probabilities}` for a classification, `{labels, probabilities}` for several labels. Numbers are a NumPy array, whose NaN and
    infinities become null; the label of a row with such probabilities is None."""
    if warm.signature.classifies:
        return _classes(warm, answers)
    if warm.signature.task is Task.MULTILABEL:
        return _labels(warm, answers)
    return np.ascontiguousarray(answers[:, 0] if answers.shape[1] == 1 else answers)


def json_bodies(version: ServedVersion, warm: Warm, answers: Array, counts: Sequence[int]) -> list[bytes]:
    """Encodes the answers of a batch, one document for each request, which have `counts` rows."""
    begin = opening(version.name, version.number)
    if len(counts) > 1 and warm.has_scalar_answer:
        # Encoded once and split: a call of orjson for each request costs more than all their numbers.
        texts = orjson.dumps(values(warm, answers), option=NUMPY)[1:-1].split(b",")
        if len(texts) == len(counts):
            return [b"%b[%b]}" % (begin, text) for text in texts]
        rows = iter(texts)
        return [b"%b[%b]}" % (begin, b",".join(next(rows) for _ in range(count))) for count in counts]
    return [b"%b%b}" % (begin, _as_json(warm, each)) for each in split(answers, counts)]


def _as_json(warm: Warm, answers: Array) -> bytes:
    if len(answers) <= warm.rows_per_chunk:
        return orjson.dumps(values(warm, answers), option=NUMPY)
    return b"[%b]" % b",".join(orjson.dumps(values(warm, part), option=NUMPY)[1:-1] for part in chunks(warm, answers))


def chunks(warm: Warm, answers: Array) -> Iterator[Array]:
    """The answers in chunks of `Warm.rows_per_chunk` rows."""
    for start in range(0, len(answers), warm.rows_per_chunk):
        yield answers[start : start + warm.rows_per_chunk]


def _classes(warm: Warm, answers: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    classes = warm.signature.classes
    texts = [as_text(label) for label in classes]
    best, known = decide_array(warm.signature, answers).tolist(), np.isfinite(answers).all(axis=1).tolist()
    return [
        {
            "label": classes[position] if sure else None,
            "probabilities": dict(zip(texts, row if sure else [None] * len(row), strict=True)),
        }
        for position, sure, row in zip(best, known, answers.tolist(), strict=True)
    ]


def _labels(warm: Warm, answers: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    names = [each.name for each in warm.signature.outputs]
    return [
        {
            "labels": [name for name, probability in zip(names, row, strict=True) if probability > LABEL_THRESHOLD],
            "probabilities": {
                name: probability if np.isfinite(probability) else None
                for name, probability in zip(names, row, strict=True)
            },
        }
        for row in answers.tolist()
    ]


@lru_cache(4096)
def opening(name: str, number: int) -> bytes:
    """A response up to the list of predictions."""
    return b'{"model_name":%b,"model_version":%d,"predictions":' % (orjson.dumps(name), number)


def _is_quick(body: bytes) -> bool:
    """Whether `_decode` leaves it as it is, or decodes few lists and objects."""
    return INTERVAL not in body or _has_few_containers(body)


DECODER = Decoder(_decode, _read, quick=_read_quickly, is_quick=_is_quick, most=MOST_BYTES, most_rows=_most_rows)
ENCODER = Encoder(MEDIA_TYPE, json_bodies)
