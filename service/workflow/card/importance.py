"""The section on the importance of the inputs."""

from collections.abc import Mapping
from typing import Any

from service.workflow.card.document import Block, Paragraph, Table, Text
from service.workflow.card.recorded import NOT_RECORDED, count, mapping, objects, shown, text

MOST_LISTED = 30
LOSSES = {
    "log_loss": "log loss (in nats)",
    "relative_squared_error": "squared error (divided by the variance of the target: 1 is as bad as the mean)",
}


def blocks(manifest: Mapping[str, Any]) -> list[Block]:
    """The most important inputs, and how they were measured."""
    found = mapping(manifest, "importance")
    listed = objects(found, "inputs")
    if not listed:
        return [Paragraph(NOT_RECORDED.capitalize() + ".")]
    rows: list[list[Text]] = [
        [text(each, "input"), text(each, "mean"), text(each, "std")] for each in listed[:MOST_LISTED]
    ]
    return [
        Table(["Input", "Rise of the loss", "Standard deviation"], rows),
        Paragraph(_told(found, len(listed))),
        Paragraph(
            "Inputs that say the same share their importance: each can look unimportant while the other is there. "
            "A figure near or below 0 means that the model does without this input."
        ),
    ]


def _told(found: Mapping[str, Any], listed: int) -> str:
    measure = found.get("measure")
    loss = LOSSES.get(measure, shown(measure)) if isinstance(measure, str) else NOT_RECORDED
    told = [
        f"By how much the {loss} rises when the values of an input are exchanged between the rows, the mean of "
        f"{text(found, 'permutations')} permutations of {count(found, 'rows')} rows of the part {text(found, 'part')}. "
        f"Without a permutation it is {text(found, 'loss')}."
    ]
    if listed > MOST_LISTED:
        told.append(f"The {MOST_LISTED} most important of {listed:,} inputs are listed.")
    if found.get("left_out"):
        told.append(f"Inputs that were not measured: {count(found, 'left_out')}.")
    return " ".join(told)
