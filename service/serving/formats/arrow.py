"""Arrow IPC, as a stream and as a file."""

import io

import numpy as np
import torch

from service.serving.formats import arrow_messages, plain_arrow
from service.serving.formats.columns import from_frame, from_matrix, polars_called
from service.serving.formats.tables import Array, answers_frame
from service.serving.warm_models import Warm
from service.workflow.signature import Signature
from service.workflow.tasks import Task


def read_stream(body: bytes, signature: Signature, missing_allowed: bool) -> torch.Tensor:
    """Raw features [n, slots].

    Raises:
        InvalidInstances: what is wrong, by column and row.
    """
    numbers = all(each.type == "number" for each in signature.inputs)
    plain = plain_arrow.matrix(body, tuple(each.name.encode() for each in signature.inputs)) if numbers else None
    if plain is not None:
        return from_matrix(signature, plain, missing_allowed)
    # polars believes what the messages tell of their sizes.
    arrow_messages.check_stream(body)
    with polars_called(arrow_messages.BROKEN) as polars:
        frame = polars.read_ipc_stream(body)
    plain_arrow.learn(body)
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


def weight_of_stream(body: bytes) -> int:
    """About how many bytes of memory reading takes, beside the body.

    Raises:
        InvalidInstances: the body is no stream that is taken.
    """
    return 3 * arrow_messages.check_stream(body)


def weight_of_file(body: bytes) -> int:
    """About how many bytes of memory reading takes, beside the body.

    Raises:
        InvalidInstances: the body is no file that is taken.
    """
    return 3 * arrow_messages.check_file(body)


def write_stream(warm: Warm, answers: Array) -> bytes:
    """The answers as a stream, in types that every Arrow library knows."""
    signature = warm.signature
    names = tuple(each.name for each in signature.outputs)
    of_one_type = len({each.dtype for each in signature.outputs}) == 1 and answers.dtype == warm.answers_dtype
    # Nothing but known numbers.
    plain = of_one_type and signature.task is Task.REGRESSION and bool(np.isfinite(answers).all())
    if plain and (written := plain_arrow.stream(names, answers)) is not None:
        return written
    import polars as pl

    file = io.BytesIO()
    answers_frame(signature, answers).write_ipc_stream(file, compat_level=pl.CompatLevel.oldest())
    if plain:
        plain_arrow.learn_to_write(names, answers, file.getvalue())
    return file.getvalue()


def write_file(warm: Warm, answers: Array) -> bytes:
    """The answers as a file."""
    import polars as pl

    file = io.BytesIO()
    answers_frame(warm.signature, answers).write_ipc(file, compat_level=pl.CompatLevel.oldest())
    return file.getvalue()
