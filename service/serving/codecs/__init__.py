"""The formats of predictions by media type. Those of other servers' protocols are in files of their own, and are chosen by the
dialects in `service/api/dialects/`. polars is imported when a format first needs it."""

from collections.abc import Callable, Sequence

from service.serving.codecs import arrow, csv, json, json_lines, npy, parquet
from service.serving.codecs.codec import QUICK, Decoder, Encoder, Rows, polars_is_loaded, split
from service.serving.forward import Array
from service.serving.limits import MOST_VALUES
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.workflow.input_tensors import Tensors
from service.workflow.signature import Signature

JSON, JSON_LINES = json.MEDIA_TYPE, "application/x-ndjson"

# Decodes a body to raw features, or raises InvalidInstances with what is wrong, by row and column. The arguments are
# the body, the signature, and whether values may be missing.
Read = Callable[[bytes, Signature, bool], Tensors]
ReadQuickly = Callable[[bytes, Signature, bool], Tensors | None]


def _decoder(
    read: Read,
    memory_of: Callable[[bytes], int],
    quick: ReadQuickly | None = None,
    in_loop: int = 0,
    by_polars: bool = False,
) -> Decoder:
    def rows(warm: Warm, body: bytes) -> Rows:
        return read(body, warm.signature, warm.model.fills_missing)

    def quickly(warm: Warm, body: bytes) -> Rows | None:
        if quick is None or (by_polars and not polars_is_loaded()):
            return None
        return quick(body, warm.signature, warm.model.fills_missing)

    return Decoder(bytes, rows, in_loop, quickly, memory_of=memory_of)


def _encoder(media_type: str, write: Callable[[Warm, Array], bytes], by_polars: bool = False) -> Encoder:
    def bodies(_: ServedVersion, warm: Warm, answers: Array, counts: Sequence[int]) -> list[bytes]:
        return [write(warm, each) for each in split(answers, counts)]

    return Encoder(media_type, bodies, by_polars)


def _memory_of_text(body: bytes) -> int:
    return 6 * len(body)  # a number has two bytes at least, with its separator


def _memory_of_npy(body: bytes) -> int:
    return min(8 * len(body), 12 * MOST_VALUES)  # a number has one byte at least


DECODERS: dict[str, Decoder] = {
    JSON: json.DECODER,
    "text/csv": _decoder(csv.read, _memory_of_text, csv.read, by_polars=True),
    JSON_LINES: _decoder(json_lines.read, _memory_of_text, json_lines.read_small),
    "application/vnd.apache.arrow.stream": _decoder(
        arrow.read_stream, arrow.memory_of_stream, arrow.read_stream, by_polars=True
    ),
    "application/vnd.apache.arrow.file": _decoder(
        arrow.read_file, arrow.memory_of_file, arrow.read_file, by_polars=True
    ),
    "application/vnd.apache.parquet": _decoder(parquet.read, parquet.memory_of, parquet.read_small, by_polars=True),
    "application/x-npy": _decoder(npy.read, _memory_of_npy, in_loop=QUICK),
}
ENCODERS: dict[str, Encoder] = {JSON: json.ENCODER} | {
    media_type: _encoder(media_type, write, by_polars)
    for media_type, write, by_polars in (
        ("text/csv", csv.write, True),
        (JSON_LINES, json_lines.write, False),
        ("application/vnd.apache.arrow.stream", arrow.write_stream, True),
        ("application/vnd.apache.arrow.file", arrow.write_file, True),
        ("application/vnd.apache.parquet", parquet.write, True),
        ("application/x-npy", npy.write, False),
    )
}
