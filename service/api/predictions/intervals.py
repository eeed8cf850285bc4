"""Predictions with intervals or sets by the query of a request, `?interval=0.9`: also for bodies that are no JSON."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from service.api.predictions.negotiation import with_intervals
from service.serving.codecs import ENCODERS, JSON_LINES, intervals, query
from service.serving.codecs.asked_interval import FIELD, ask, check_intervals, level_of_text
from service.serving.codecs.codec import Decoder, Encoder, Rows
from service.serving.forward import Array
from service.serving.limits import invalid
from service.serving.served_version import ServedVersion
from service.serving.warm_models import Warm


def level_in(query_string: bytes) -> float | None:
    """The level that the query of a POST asks for; None if it asks for none.

    Raises:
        InvalidInstances: it is no level, or there are several.
    """
    if not query_string:
        return None
    given = parse_qs(query_string.decode("latin-1"), keep_blank_values=True).get(FIELD)
    return None if given is None else _level(given)


def check_no_interval(level: float | None) -> None:
    """Checks that a stream of JSON Lines has none. Raises NotAcceptable."""
    if level is not None:
        with_intervals(ENCODERS[JSON_LINES], level)


def decoder_with(decoder: Decoder, level: float) -> Decoder:
    """The decoder of a POST whose query asks for this level."""

    def decode(body: bytes) -> Any:
        return ask(decoder.decode(body), level)

    def read(warm: Warm, asked: Any) -> Rows:
        check_intervals(warm, level)
        return decoder.read(warm, asked.decoded)

    return replace(decoder, decode=decode, read=read, quick=None, is_small=lambda *_: False)


def of_look_up(query_string: bytes, encoder: Encoder) -> tuple[Decoder, Callable[[Any], Encoder]]:
    """The decoder of a GET, and what gives its encoder. The `interval` of its query is a value if the model's data have a column
    of this name, which only the model's signature tells.

    Args:
        encoder: the one that the client accepts.
    """
    given = query.columns(query_string).get(FIELD)
    if given is None:
        return query.DECODER, lambda _: encoder

    def read(warm: Warm, columns: dict[str, list[str]]) -> Rows:
        if _is_column(warm):
            return query.DECODER.read(warm, columns)
        level = _level(given)
        with_intervals(encoder, level)  # is it acceptable?
        check_intervals(warm, level)
        return query.DECODER.read(warm, {name: values for name, values in columns.items() if name != FIELD})

    def write(version: ServedVersion, warm: Warm, answers: Array, counts: Sequence[int]) -> list[bytes]:
        chosen = encoder if _is_column(warm) else intervals.encoder(_level(given))
        return chosen.write(version, warm, answers, counts)

    either = replace(encoder, write=write, times=intervals.TIMES)
    return Decoder(query.columns, read), lambda _: either


def _is_column(warm: Warm) -> bool:
    """Whether the model's data have a column of this name."""
    of = warm.signature
    names = [*(each.name for each in of.inputs), *(each.name for each in of.outputs), *(of.ignored or ())]
    return FIELD in names


def _level(given: Sequence[str]) -> float:
    if len(given) > 1:
        raise invalid("is given several times; it is taken once", f"/{FIELD}")
    return level_of_text(given[0])
