"""Requests to explain answers, and the explanations, as JSON: as for predictions, with `class` or `target` beside the rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.serving.codecs.instances import ENVELOPE, from_document
from service.serving.codecs.json import values
from service.serving.explanation import Explanation
from service.serving.limits import invalid
from service.serving.warm_models import Warm
from service.workflow.data.types.category import as_text
from service.workflow.data.types.names import Scalar
from service.workflow.input_tensors import Tensors, rows_in
from service.workflow.spec_base import nearest
from service.workflow.typical_row import TypicalRow, shown_row

MOST_INSTANCES = 100
MOST_TARGETS = 20  # that are explained together
CHOICES = ("class", "target")


def read(warm: Warm, document: Any) -> tuple[Tensors, int | None]:
    """The raw features of the rows, and the position of the answer that is to be explained, if one is named.

    Raises:
        InvalidInstances: what is wrong, by row and column.
    """
    named: dict[str, Any] = {}
    if isinstance(document, dict) and not document.keys().isdisjoint(ENVELOPE):
        named = {name: value for name, value in document.items() if name in CHOICES}
        document = {name: value for name, value in document.items() if name not in CHOICES}
    _check_count(document)
    chosen = _chosen(warm, named)
    raw = from_document(warm.signature, document, warm.model.fills_missing)
    if rows_in(raw) > MOST_INSTANCES:
        raise _too_many(rows_in(raw))
    return raw, chosen


def _check_count(document: object) -> None:
    """Refuses too many rows before they are read."""
    rows = document.get("instances") if isinstance(document, Mapping) else document
    if isinstance(rows, list) and len(rows) > MOST_INSTANCES:
        raise _too_many(len(rows))


def _too_many(count: int) -> Exception:
    return invalid(f"has {count} rows; at most {MOST_INSTANCES} are explained in one request")


def _chosen(warm: Warm, named: Mapping[str, Any]) -> int | None:
    """The position of the named answer among those of the model."""
    signature = warm.signature
    right, wrong = CHOICES if signature.classifies else CHOICES[::-1]
    if wrong in named:
        raise invalid(f"is for another kind of model; {right!r} names what this one answers", f"/{wrong}")
    texts = signature.labels if signature.classifies else [each.name for each in signature.outputs]
    if right in named:
        given = named[right]
        text = as_text(given) if isinstance(given, str | bool | int | float) else None
        if text not in texts:
            raise invalid(f"is no {right} of this model{'; ' + nearest(text, texts) if text else ''}", f"/{right}")
        return texts.index(text)
    if not signature.classifies and len(texts) > MOST_TARGETS:
        raise invalid(
            f"is needed: the model has {len(texts)}, and at most {MOST_TARGETS} are explained together", "/target"
        )
    return None


def document_of(warm: Warm, name: str, number: int, row: TypicalRow, of: Explanation, *, alone: bool) -> dict[str, Any]:
    """The explanation as JSON: `values` by NumPy, NaN for null.

    Args:
        warm: the model.
        name, number: of the version.
        row: the baseline.
        of: the explanation.
        alone: whether one answer was named.
    """
    signature, inputs = warm.signature, [each.name for each in warm.signature.inputs]
    shares = of.shares.tolist()
    single = signature.classifies or alone or len(signature.outputs) == 1
    names = [each.name for each in signature.outputs]
    explained: Sequence[Scalar | list[str] | None]
    if signature.classifies:
        explained = [signature.classes[at] for at in of.which[0].tolist()]
    else:
        explained = [names[at] if single else names for at in of.which[0].tolist()]
    by_row = zip(*([dict(zip(inputs, row, strict=True)) for row in each] for each in shares), strict=True)
    return {
        "model_name": name,
        "model_version": number,
        "method": of.method,
        "explained": explained,
        "attributions": [each[0] if single else dict(zip(names, each, strict=True)) for each in by_row],
        "predictions": values(warm, of.answers),
        "baseline": {"instance": shown_row(signature.inputs, row), "prediction": values(warm, of.baseline)[0]},
    }
