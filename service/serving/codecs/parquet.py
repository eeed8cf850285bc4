"""Parquet."""

import io

from service.serving.codecs.columns import from_frame, polars_called
from service.serving.codecs.tables import answers_frame
from service.serving.forward import Array
from service.serving.size_guard import parquet_pages
from service.serving.warm_models import Warm
from service.workflow.input_tensors import Tensors
from service.workflow.signature import Signature

SMALL = 2**20  # bytes of the pages, once decompressed


def read(body: bytes, signature: Signature, missing_allowed: bool) -> Tensors:
    """Decodes a file; see `codecs.Read`."""
    parquet_pages.check(body)
    return _read(body, signature, missing_allowed)


def read_small(body: bytes, signature: Signature, missing_allowed: bool) -> Tensors | None:
    """As `read`, but None if the file is large once decompressed."""
    return _read(body, signature, missing_allowed) if parquet_pages.check(body) <= SMALL else None


def memory_of(body: bytes) -> int:
    """About how many bytes of memory `read` takes beside the body: for the pages, the table, and the tensor made of it.

    Raises:
        InvalidInstances: the file is invalid, or too large.
    """
    return 3 * parquet_pages.check(body)


def _read(body: bytes, signature: Signature, missing_allowed: bool) -> Tensors:
    """Reads a file whose sizes have been checked: polars trusts those that the pages state."""
    with polars_called("the Parquet file cannot be read") as polars:
        frame = polars.read_parquet(io.BytesIO(body))
    return from_frame(signature, frame, missing_allowed)


def write(warm: Warm, answers: Array) -> bytes:
    """Encodes the answers as a file."""
    file = io.BytesIO()
    answers_frame(warm.signature, answers).write_parquet(file)
    return file.getvalue()
