"""Requests and results of the `Predictor`."""

from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from typing import Any

from service.model_reference import ModelReference
from service.serving.bounded_threads import Disconnected
from service.serving.codecs.codec import Decoder, Encoder
from service.serving.memory_budget import Share
from service.serving.pending_prediction import StageObserver
from service.serving.prediction_record import PredictionRecord
from service.serving.served_version import ServedVersion


@dataclass(slots=True)
class PredictionRequest:
    """One request for predictions.

    Args:
        model: the requested model.
        decoder: of the body.
        encoder: gives the encoder of the answer for a decoded body; it may raise.
        body: compressed if `unpack` is set.
        share: of the memory budget; None for a small body.
        chunks: the pieces of a stream of rows, in place of `body`.
        unpack: decompresses the body; called in a thread.
        deadline: in seconds of `time.perf_counter`.
        disconnected: returns when the client has disconnected.
        mergeable: whether other requests may share its forward.
        observer: is given the seconds of each stage.
        record: gathers the rows and answers for the log of predictions, if that keeps this request.
        version: the version that predicts, once it is resolved.
    """

    model: ModelReference
    decoder: Decoder
    encoder: Callable[[Any], Encoder]
    body: bytes
    share: Share | None
    chunks: AsyncIterable[bytes] | None = None
    unpack: Callable[[bytes], bytes] | None = None
    deadline: float | None = None
    disconnected: Disconnected | None = None
    mergeable: bool = True
    observer: StageObserver | None = None
    record: PredictionRecord | None = None
    version: ServedVersion | None = None


@dataclass(slots=True)
class PredictionResult:
    """The answer to one request. `unknown_categories` counts the values that are categories unknown to the model."""

    version: ServedVersion
    encoder: Encoder
    unknown_categories: int
    body: bytes = b""
