"""The forms of predictions: which reader turns a body into rows, and which writer turns answers into a body. A format is
one line in each table that it belongs in."""

from collections.abc import Callable
from typing import Any

import torch

from service.api.errors import UnsupportedMediaType
from service.api.json import decode_json
from service.serving.answers import json_bodies
from service.serving.batches import Writer
from service.serving.instances import from_body, plain_rows
from service.serving.warm_models import Warm

JSON = "application/json"

Rows = torch.Tensor | list[list[float]]  # a raw tensor, or rows of numbers that become one with those of others
Decode = Callable[[bytes], Any]  # what can be said about a body without a model
Read = Callable[[Warm, Any], Rows]  # what was decoded, as this model takes it


def read_json(warm: Warm, decoded: Any) -> Rows:
    """Rows of plain numbers as they are; all else checked value by value."""
    if warm.only_numbers and (rows := plain_rows(decoded, warm.width)) is not None:
        return rows
    return from_body(warm.signature, decoded, warm.model.fills_missing)


READERS: dict[str, tuple[Decode, Read]] = {JSON: (decode_json, read_json)}
WRITERS: dict[str, Writer] = {JSON: json_bodies}


def reader(content_type: str) -> tuple[Decode, Read]:
    """How to read a body of this Content-Type.

    Raises:
        UnsupportedMediaType: nobody here can.
    """
    found = READERS.get(content_type)
    if found is None:
        given = content_type.split(";", 1)[0].strip().lower()
        found = READERS[JSON] if not given or given.endswith("+json") else READERS.get(given)
        if found is None:
            raise UnsupportedMediaType("expected Content-Type: application/json")
    return found
