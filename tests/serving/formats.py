"""The codecs of all formats but JSON, by media type, as functions of a signature or of predictions."""

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, cast

import numpy as np
import torch

from service.serving.codecs import DECODERS, ENCODERS, JSON
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.workflow.input_tensors import Tensors
from service.workflow.model import Model
from service.workflow.signature import Signature

VERSION = ServedVersion("digest", "line", 1)
P = ParamSpec("P")


def of_tables(read: Callable[P, Tensors]) -> Callable[P, torch.Tensor]:
    """A reader for models that have only columns of a table, whose raw features are one tensor."""

    def read_one(*args: P.args, **kwargs: P.kwargs) -> torch.Tensor:
        rows = read(*args, **kwargs)
        assert isinstance(rows, torch.Tensor)
        return rows

    return read_one


class MissingValueSupport:
    """The attributes of a model that decoding a request needs."""

    def __init__(self, fills_missing: bool) -> None:
        self.fills_missing = fills_missing


def read(media_type: str, body: bytes, signature: Signature, missing_allowed: bool) -> torch.Tensor:
    rows = DECODERS[media_type].read(Warm(cast(Model, MissingValueSupport(missing_allowed)), signature), body)
    assert isinstance(rows, torch.Tensor)
    return rows


def write(media_type: str, warm: Warm, answers: "np.ndarray[Any, Any]") -> bytes:
    return ENCODERS[media_type].write(VERSION, warm, answers, [len(answers)])[0]


READERS: dict[str, Callable[[bytes, Signature, bool], torch.Tensor]] = {
    each: partial(read, each) for each in DECODERS if each != JSON
}
WRITERS: dict[str, Callable[[Warm, "np.ndarray[Any, Any]"], bytes]] = {
    each: partial(write, each) for each in ENCODERS if each != JSON
}
