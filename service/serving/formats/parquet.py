"""Parquet."""

import io

import torch

from service.serving.formats import parquet_pages
from service.serving.formats.columns import from_frame, invalid
from service.serving.formats.tables import Array, answers_frame
from service.serving.warm_models import Warm
from service.workflow.signature import Signature


def read(body: bytes, signature: Signature, missing_allowed: bool) -> torch.Tensor:
    """Raw features [n, slots].

    Raises:
        InvalidInstances: what is wrong, by column and row.
    """
    import polars as pl

    # polars believes what the pages tell of their sizes.
    parquet_pages.check(body)
    try:
        frame = pl.read_parquet(io.BytesIO(body))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        raise invalid("the Parquet file cannot be read") from None
    return from_frame(signature, frame, missing_allowed)


def write(warm: Warm, answers: Array) -> bytes:
    """The answers as a file."""
    file = io.BytesIO()
    answers_frame(warm.signature, answers).write_parquet(file)
    return file.getvalue()
