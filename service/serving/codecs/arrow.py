"""Arrow IPC, as a stream and as a file."""

import io

import torch

from service.serving.codecs.columns import from_frame, polars_called
from service.serving.codecs.tables import answers_frame
from service.serving.forward import Array
from service.serving.size_guard import arrow_messages
from service.serving.warm_models import Warm
from service.workflow.signature import Signature


def read_stream(body: bytes, signature: Signature, missing_allowed: bool) -> torch.Tensor:
    """Raw features [n, slots].

    Raises:
        InvalidInstances: what is wrong, by column and row.
    """
    # polars believes what the messages tell of their sizes.
    arrow_messages.check_stream(body)
    with polars_called(arrow_messages.BROKEN) as polars:
        frame = polars.read_ipc_stream(body)
    return from_frame(signature, frame, missing_allowed)


def read_file(body: bytes, signature: Signature, missing_allowed: bool) -> torch.Tensor:
    """Raw features [n, slots].

    Raises:
        InvalidInstances: what is wrong, by column and row.
    """
    arrow_messages.check_file(body)
    with polars_called(arrow_messages.BROKEN) as polars:
        frame = polars.read_ipc(body)
    return from_frame(signature, frame, missing_allowed)


def memory_of_stream(body: bytes) -> int:
    """About how many bytes of memory reading takes, beside the body.

    Raises:
        InvalidInstances: the body is no stream that is taken.
    """
    return 3 * arrow_messages.check_stream(body)


def memory_of_file(body: bytes) -> int:
    """About how many bytes of memory reading takes, beside the body.

    Raises:
        InvalidInstances: the body is no file that is taken.
    """
    return 3 * arrow_messages.check_file(body)


def write_stream(warm: Warm, answers: Array) -> bytes:
    """The answers as a stream, in types that every Arrow library knows."""
    import polars as pl

    file = io.BytesIO()
    answers_frame(warm.signature, answers).write_ipc_stream(file, compat_level=pl.CompatLevel.oldest())
    return file.getvalue()


def write_file(warm: Warm, answers: Array) -> bytes:
    """The answers as a file."""
    import polars as pl

    file = io.BytesIO()
    answers_frame(warm.signature, answers).write_ipc(file, compat_level=pl.CompatLevel.oldest())
    return file.getvalue()
