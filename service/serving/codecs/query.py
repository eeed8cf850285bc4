"""Rows in the query of a URL: the values of each input as texts, with each name repeated for each row."""

from urllib.parse import parse_qsl

from service.serving.codecs.codec import Decoder, Rows
from service.serving.codecs.instances import from_texts
from service.serving.codecs.shaped_values import kind_of
from service.serving.limits import invalid
from service.serving.warm_models import Warm
from service.workflow.errors import step


def columns(query: bytes) -> dict[str, list[str]]:
    """The values by name. Names are sorted, as their order has no meaning; the values of a name keep theirs."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return dict(sorted(found.items()))


def _read(warm: Warm, given: dict[str, list[str]]) -> Rows:
    for each in warm.signature.inputs:
        if each.shape is not None and kind_of(each).ids(each) is None:
            raise invalid(f"is of type {each.type}, which no query can hold; send it by POST", step(each.name))
    return from_texts(warm.signature.with_points, given, warm.model.fills_missing)


DECODER = Decoder(columns, _read)
