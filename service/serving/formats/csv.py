"""CSV: a first line with the names of the inputs, then one line a row; an empty field is a missing value."""

import io
from typing import BinaryIO, Literal

import torch

from service.serving.formats.columns import from_frame, invalid
from service.serving.formats.tables import Array, answers_frame
from service.serving.instances import check_names
from service.serving.warm_models import Warm
from service.workflow.data.formats import csv
from service.workflow.data.read import first_line
from service.workflow.errors import InvalidData
from service.workflow.signature import Signature


class _Body:
    """The body as a file, for the checks that uploads have too."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        return io.BytesIO(self._body)


def read(body: bytes, signature: Signature, missing_allowed: bool) -> torch.Tensor:
    """Raw features [n, slots].

    Raises:
        InvalidInstances: what is wrong, by column and row.
    """
    import polars as pl

    try:
        names = csv.header(_Body(body))
        check_names(signature, dict.fromkeys(names))
        csv.check(_Body(body))
        csv.check_encoding(_Body(body))
    except InvalidData as error:
        raise invalid(str(error)) from None
    numbers = {each.name for each in signature.inputs if each.type == "number"}
    text = {name: pl.String() for name in names}
    parsed = text | {name: pl.Float64() for name in numbers}
    rows = body[body.find(b"\n") + 1 or len(body) :]
    for schema in (parsed, text):
        try:
            frame = pl.read_csv(rows, has_header=False, schema=schema, infer_schema=False, raise_if_empty=False)
            # `nan` is a number to polars, and here a text that is none: only an empty field is a missing value.
            if schema is text or not any(frame[name].is_nan().any() for name in numbers & set(names)):
                break
        except pl.exceptions.PolarsError as error:  # a text that is no number: read as texts, its row can be told
            if schema is text:
                raise invalid(first_line(error)) from None
    return from_frame(signature, frame, missing_allowed, as_text=True)


def write(warm: Warm, answers: Array) -> bytes:
    """The answers with a header; an empty field for what is not known."""
    return answers_frame(warm.signature, answers).write_csv().encode()
