"""The section on the folds of a training in folds."""

from collections.abc import Mapping
from typing import Any

from service.workflow.card.document import Block, Code, Paragraph, Table, Text
from service.workflow.card.recorded import find, mapping, objects, shown, text

MOST_METRICS = 50


def blocks(manifest: Mapping[str, Any]) -> list[Block]:
    """How it was trained and judged, the spread of each metric, and each fold."""
    found = mapping(manifest, "folds")
    folds = objects(found, "folds")
    spreads: list[list[Text]] = [
        [Code(shown(name)), text(found, "metrics", name, "mean"), text(found, "metrics", name, "std")]
        for name in list(mapping(found, "metrics"))[:MOST_METRICS]
    ]
    rows: list[list[Text]] = [
        [str(number), *(text(each, name) for name in ("train_rows", "validation_rows", "epochs", "best_epoch"))]
        for number, each in enumerate(folds, 1)
    ]
    return [
        Paragraph(f"{_trained(manifest, len(folds))} {_judged(manifest)}"),
        Table(["Metric", "Mean over the folds", "Standard deviation"], spreads),
        Table(["Fold", "Rows learned from", "Rows that validate", "Epochs", "Best epoch"], rows),
    ]


def _trained(manifest: Mapping[str, Any], folds: int) -> str:
    if find(manifest, "spec", "split", "final") == "bag":
        return f"The model is a bag of {folds} networks that answer together, with the mean of their answers."
    told = f"The networks of {folds} folds told how well it does, and in how many epochs"
    return f"{told}; the model is one more network, which has learned from all rows but the test part."


def _judged(manifest: Mapping[str, Any]) -> str:
    if find(manifest, "spec", "split", "time") is not None:
        how = "each learned from the rows before those that validate it"
    else:
        how = "each learned from the rows outside its fold"
    return (
        f"The metrics of the part validation are out of fold: {how}. Those of the part train are of the model that answers, "
        "which has learned from them. Statistics of the preprocessing are of all rows but the test part."
    )
