"""The sections on the model and its training in words, and on its metrics."""

from collections.abc import Mapping
from typing import Any

from service.workflow.card.document import Block, Code, Items, Paragraph, Table, Text
from service.workflow.card.recorded import NOT_RECORDED, count, find, mapping, names, objects, shown, text, values

KINDS = {
    "linear_regression": "a linear regression",
    "logistic_regression": "a logistic regression",
    "mlp": "a multilayer perceptron",
    "tabm": "TabM, an ensemble of multilayer perceptrons that share most of their weights (Gorishniy et al., 2024)",
    "cnn": "a convolutional network",
    "text_embedding": "a mean of embeddings of a text's parts, and fully connected layers",
    "transformer": "a transformer's encoder",
    "recurrent": "a recurrent network",
    "fusion": "an encoder for each input, joined by fully connected layers",
    "layers": "a stack of layers",
}
PARTS = ("train", "validation", "test", "baseline")
MOST_SETTINGS = 24
MOST_METRICS = 50


def blocks(manifest: Mapping[str, Any]) -> list[Block]:
    """Model, loss, optimizer, scheduler, and how long it was trained."""
    spec = mapping(manifest, "spec")
    items: list[Text] = [
        f"Model: {_model(mapping(spec, 'model'))}.",
        f"Parameters: {count(manifest, 'parameters')}.",
        f"Preprocessing, a part of the model: {_preprocessing(spec)}.",
        f"Loss: {_class(spec, 'loss')}.",
        f"Optimizer: {_class(spec, 'optimizer')}.",
        f"Scheduler: {_class(spec, 'scheduler') if find(spec, 'scheduler') is not None else 'none'}.",
        *_loop(manifest, mapping(spec, "training")),
        *_calibration(manifest),
        *_threshold(manifest),
    ]
    return [Items(items)]


def metrics(manifest: Mapping[str, Any]) -> list[Block]:
    """The metrics of each part with rows, beside the baseline."""
    found = mapping(manifest, "metrics")
    parts = [part for part in PARTS if isinstance(found.get(part), Mapping)]
    listed = list(dict.fromkeys(name for part in parts for name in found[part]))[:MOST_METRICS]
    if not listed:
        return [Paragraph(NOT_RECORDED.capitalize() + ".")]
    rows: list[list[Text]] = [[Code(shown(name)), *(_metric(found[part], name) for part in parts)] for name in listed]
    table = Table(["Metric", *parts], rows)
    if "baseline" not in parts:
        return [table]
    last = next((part for part in reversed(parts) if part != "baseline"), "")
    classifies = find(manifest, "signature", "task") in ("binary", "multiclass")
    answer = "the frequency of each class" if classifies else "the mean of each target"
    return [
        table,
        Paragraph(f"The baseline answers {answer} in the training part; it is evaluated on the part {last}."),
    ]


def _metric(of: Mapping[str, Any], name: str) -> str:
    if name not in of:
        return NOT_RECORDED
    return "not defined" if of[name] is None else shown(of[name])


def _model(spec: Mapping[str, Any]) -> str:
    kind = spec.get("kind")
    if not isinstance(kind, str):
        return NOT_RECORDED
    layers = objects(spec, "layers")
    settings = {name: value for name, value in spec.items() if name not in ("kind", "layers")}
    parts = [KINDS.get(kind, f"a model of the kind {shown(kind)}"), *_settings(settings)]
    if layers:
        parts.append(f"layers: {names([each.get('name') for each in layers], MOST_SETTINGS)}")
    return "; ".join(parts)


def _class(spec: Mapping[str, Any], part: str) -> str:
    """A torch class with its arguments."""
    found = mapping(spec, part)
    name = found.get("name")
    if not isinstance(name, str):
        return NOT_RECORDED
    arguments = _settings({each: value for each, value in found.items() if each != "name" and value is not None})
    return f"torch's {shown(name)}{' with ' if arguments else ''}{'; '.join(arguments)}"


def _settings(given: Mapping[str, Any]) -> list[str]:
    return [f"{shown(name)} {shown(value)}" for name, value in list(given.items())[:MOST_SETTINGS]]


def _preprocessing(spec: Mapping[str, Any]) -> str:
    match find(spec, "preprocessing", "normalize"):
        case True:
            return (
                "numbers, and numeric targets, are normalized to mean 0 and standard deviation 1 of the training part"
            )
        case False:
            return "numbers are used as they are"
    return NOT_RECORDED


def _calibration(manifest: Mapping[str, Any]) -> list[Text]:
    found = mapping(manifest, "calibration")
    if found:
        losses = f"its log loss from {text(found, 'log_loss_before')} to {text(found, 'log_loss_after')}"
        errors = f"its calibration error from {text(found, 'ece_before')} to {text(found, 'ece_after')}"
        fitted = f"a temperature of {text(found, 'temperature')}, fitted on the {text(found, 'rows')} rows of the validation part"
        return [f"Probabilities are calibrated by {fitted}. It changed {losses}, and {errors}."]
    if find(manifest, "spec", "calibration") is not None:
        return ["Probabilities are not calibrated: no temperature makes those of the validation part better."]
    return []


def _threshold(manifest: Mapping[str, Any]) -> list[Text]:
    found = mapping(manifest, "threshold")
    if not found:
        return []
    measure = "mean cost" if found.get("measure") == "cost" else text(found, "measure")
    changed = f"{measure} from {text(found, 'before')} at 0.5 to {text(found, 'after')}"
    where = f"where its probability is above {text(found, 'threshold')}"
    return [
        f"The answer is {text(found, 'positive')} {where}, which changed the {changed} on the {text(found, 'rows')} rows of the "
        "validation part."
    ]


def _loop(manifest: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Text]:
    epochs = f"{text(manifest, 'training', 'epochs')} of at most {text(settings, 'epochs')}"
    items: list[Text] = [
        f"Epochs: {epochs}, in {text(manifest, 'training', 'seconds')} seconds; rows in a batch: {text(settings, 'batch_size')}.",
        f"Seed: {text(settings, 'seed')}; precision: {text(settings, 'precision')}; device: {text(settings, 'device')}.",
    ]
    stopping = mapping(settings, "early_stopping")
    if stopping:
        patience = f"{text(stopping, 'patience')} epochs without a lower {text(stopping, 'monitor')}"
        items.append(f"Early stopping after {patience}; the best epoch's weights are kept.")
    if settings.get("ema") is not None:
        items.append(f"The weights are an exponential moving average with decay {text(settings, 'ema', 'decay')}.")
    if settings.get("gradient_clipping") is not None:
        items.append(f"Gradients are clipped to a norm of {text(settings, 'gradient_clipping')}.")
    if values(settings, "devices"):
        items.append(f"Devices: {names(values(settings, 'devices'), MOST_SETTINGS)}.")
    return items
