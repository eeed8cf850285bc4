"""Predictions as JSON with the interval or the set of each."""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import orjson

from service.serving.codecs.codec import Encoder, split
from service.serving.codecs.json import MEDIA_TYPE, NUMPY, chunks, opening, values
from service.serving.forward import Array
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm
from service.workflow.conformal import intervals, sets
from service.workflow.decision import decide_array

TIMES = 4  # a number, its two ends in float64, and the names of both


@lru_cache(64)  # one for each level, so that requests share their forward and their encoding
def encoder(level: float) -> Encoder:
    """The encoder of answers with intervals or sets of this level, to requests whose decoder has checked that there are any."""
    return Encoder(MEDIA_TYPE, partial(_bodies, level), times=TIMES)


def _bodies(level: float, version: ServedVersion, warm: Warm, answers: Array, counts: Sequence[int]) -> list[bytes]:
    begin = opening(version.name, version.number)
    return [b"%b[%b]}" % (begin, b",".join(_pieces(level, warm, each))) for each in split(answers, counts)]


def _pieces(level: float, warm: Warm, answers: Array) -> Iterator[bytes]:
    """The predictions as JSON, without the brackets of their list."""
    for part in chunks(warm, answers):
        yield orjson.dumps(_predictions(level, warm, part), option=NUMPY)[1:-1]


def _predictions(level: float, warm: Warm, answers: Array) -> list[dict[str, Any]]:
    """`{label, probabilities, set}` for classes, else `{prediction, interval}`, for each row."""
    assert warm.conformal is not None  # noqa: S101 - checked before
    limits = warm.conformal.quantiles(level)
    found = values(warm, answers)
    if warm.signature.classifies:
        classes = warm.signature.classes
        within = sets(answers, limits[0], decide_array(warm.signature, answers))
        return [
            each | {"set": None if each["label"] is None else [classes[at] for at in row.nonzero()[0].tolist()]}
            for each, row in zip(found, within, strict=True)
        ]
    low, high = intervals(answers, np.array(limits))
    ends = np.stack([low, high], axis=2)  # [n, t, 2]
    if answers.shape[1] == 1:
        ends = ends[:, 0]
    return [{"prediction": value, "interval": each} for value, each in zip(found, ends, strict=True)]
