"""How each media type becomes a tensor, and how a model's answers are written: one file a format, one line in each table.

JSON is not among them: its body is read by `service.serving.fast_json`, or strictly by the edge and `instances`, and
its answer has the model's name in it. polars is imported only when a format that needs it is used.
"""

from collections.abc import Callable

import torch

from service.serving.formats import arrow, csv, json_lines, npy, parquet
from service.serving.formats.columns import MOST_VALUES
from service.serving.formats.tables import Array
from service.serving.warm_models import Warm
from service.workflow.signature import Signature

Read = Callable[[bytes, Signature, bool], torch.Tensor]  # body, signature, whether values may be missing
ReadSmall = Callable[[bytes, Signature, bool], torch.Tensor | None]  # the same, but for what would take long
Write = Callable[[Warm, Array], bytes]  # the model, its answers [n, outputs]

READERS: dict[str, Read] = {
    "text/csv": csv.read,
    "application/x-ndjson": json_lines.read,
    "application/vnd.apache.arrow.stream": arrow.read_stream,
    "application/vnd.apache.arrow.file": arrow.read_file,
    "application/vnd.apache.parquet": parquet.read,
    "application/x-npy": npy.read,
}
# For bodies of a few hundred kilobytes; those that may hold more once they are decompressed are looked at.
SMALL_READERS: dict[str, ReadSmall] = {
    "text/csv": csv.read,
    "application/x-ndjson": json_lines.read_small,
    "application/vnd.apache.arrow.stream": arrow.read_stream,
    "application/vnd.apache.arrow.file": arrow.read_file,
    "application/vnd.apache.parquet": parquet.read_small,
}
# About how many bytes of memory reading a large body takes, beside it. A text that is not compressed can hold a number in two
# bytes, an array in one.
WEIGHTS: dict[str, Callable[[bytes], int]] = {
    "text/csv": lambda body: 6 * len(body),
    "application/x-ndjson": lambda body: 6 * len(body),
    "application/vnd.apache.arrow.stream": arrow.weight_of_stream,
    "application/vnd.apache.arrow.file": arrow.weight_of_file,
    "application/vnd.apache.parquet": parquet.weight,
    "application/x-npy": lambda body: min(8 * len(body), 12 * MOST_VALUES),
}
WRITERS: dict[str, Write] = {
    "text/csv": csv.write,
    "application/x-ndjson": json_lines.write,
    "application/vnd.apache.arrow.stream": arrow.write_stream,
    "application/vnd.apache.arrow.file": arrow.write_file,
    "application/vnd.apache.parquet": parquet.write,
    "application/x-npy": npy.write,
}
