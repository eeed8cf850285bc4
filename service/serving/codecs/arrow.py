"""Arrow IPC, as a stream and as a file."""

import io

from service.serving.codecs.columns import from_frame, polars_called
from service.serving.codecs.tables import answers_frame
from service.serving.forward import Array
from service.serving.size_guard import arrow_messages
from service.serving.warm_models import Warm
from service.workflow.input_tensors import Tensors
from service.workflow.signature import Signature

READ_MEMORY = 3  # bytes of memory per byte of decompressed data: the data, the table, and the tensor made of it


def read_stream(body: bytes, signature: Signature, missing_allowed: bool) -> Tensors:
    """Decodes a stream; see `codecs.Read`."""
    arrow_messages.check_stream(body)  # polars trusts the sizes that the messages state
    with polars_called(arrow_messages.BROKEN) as polars:
        frame = polars.read_ipc_stream(body)
    return from_frame(signature, frame, missing_allowed)


def read_file(body: bytes, signature: Signature, missing_allowed: bool) -> Tensors:
    """Decodes a file; see `codecs.Read`."""
    arrow_messages.check_file(body)
    with polars_called(arrow_messages.BROKEN) as polars:
        frame = polars.read_ipc(body)
    return from_frame(signature, frame, missing_allowed)


def memory_of_stream(body: bytes) -> int:
    """About how many bytes of memory `read_stream` takes beside the body.

    Raises:
        InvalidInstances: the body is invalid, or too large.
    """
    return READ_MEMORY * arrow_messages.check_stream(body)


def memory_of_file(body: bytes) -> int:
    """About how many bytes of memory `read_file` takes; raises as `memory_of_stream`."""
    return READ_MEMORY * arrow_messages.check_file(body)


def write_stream(warm: Warm, answers: Array) -> bytes:
    """Encodes the answers as a stream."""
    return _written("write_ipc_stream", warm, answers)


def write_file(warm: Warm, answers: Array) -> bytes:
    """Encodes the answers as a file."""
    return _written("write_ipc", warm, answers)


def _written(method: str, warm: Warm, answers: Array) -> bytes:
    """The answers by a method of `DataFrame`, in types that every Arrow library supports."""
    import polars as pl

    file = io.BytesIO()
    getattr(answers_frame(warm.signature, answers), method)(file, compat_level=pl.CompatLevel.oldest())
    return file.getvalue()
