"""`config.json`: all that `modeling.py` needs to know about a model, beside its tensors."""

from typing import Any

from service.workflow.card.recorded import text
from service.workflow.data.types.date_formats import COUNTED, ISO, pattern
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.exports.export import Source
from service.workflow.exports.huggingface.architecture import describe
from service.workflow.model import Model
from service.workflow.signature import Input

FORMAT = 1  # a later `modeling.py` may need other fields


def config(source: Source) -> dict[str, Any]:
    """The content of the file, as JSON values.

    Raises:
        ExportFailed: the model is of a plug-in's kind.
    """
    signature, model = source.signature, source.model
    return {
        "format": FORMAT,
        "made_with": {name: text(source.manifest, "environment", name) for name in ("modelwright", "torch")},
        "kind": source.spec.model.kind,
        "task": signature.task,
        "inputs": [describe_input(each) | _statistics(model, each) for each in signature.inputs],
        "outputs": [each.model_dump(mode="json", exclude_none=True) for each in signature.outputs],
        "encoding": signature.encoding or "utf-8-sig",  # of CSV files
        "preprocessing": _preprocessing(model, signature.inputs),
        "architecture": describe(source),
        "members": model.members,
        "output": model.output.name.lower(),
        "target_scaling": model.target is not None,
        "calibrated": model.calibration is not None,
    }


def describe_input(each: Input) -> dict[str, Any]:
    """A field of the signature, with what Modelwright derives from it to read texts."""
    found, kind = each.model_dump(mode="json", exclude_none=True), COLUMN_TYPES[each.type]
    if kind.categorical:
        found["categories"] = each.categories or []
    if each.how.missing_numbers:
        found["missing_numbers"] = sorted(each.how.missing_numbers)
    if kind.chart_type == "T":
        formats = dict.fromkeys((each.date_format, ISO))
        found["date_patterns"] = [pattern(name) for name in formats if name is not None and name not in COUNTED]
    return found


def _statistics(model: Model, each: Input) -> dict[str, Any]:
    """The shape of the statistics by which the values of an input are scaled, if they have a shape and are no ids."""
    scaling = model.scalings.get(each.name)
    return {} if scaling is None else {"statistics": list(scaling.mean.shape)}


def _preprocessing(model: Model, inputs: list[Input]) -> dict[str, Any] | None:
    """How raw features are encoded; None if the network takes them as they are, none of which may be missing then."""
    fitted = model.preprocessing
    if fitted is None:
        return None
    names = dict(zip(fitted.layout.firsts, (each.name for each in inputs), strict=True))
    return {
        "normalize": fitted.mean is not None,
        "indicators": [names[at] for at in fitted.indicated.tolist()],
    }
