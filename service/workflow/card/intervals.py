"""The section on intervals and sets, of a version that has them."""

from collections.abc import Mapping
from typing import Any

from service.workflow.card.document import Block, Code, Items, Paragraph, Text
from service.workflow.card.recorded import count, find, mapping, text

CAUTION = (
    "This holds for rows like those of the calibration part, and in the mean over all rows: not for each kind of row, and not "
    "for data that have changed since."
)


def blocks(manifest: Mapping[str, Any]) -> list[Block]:
    """By what rows they are made, and how often they had the truth on the test part."""
    rows = count(manifest, "conformal", "rows")
    made = f"Made by split conformal prediction on the {rows} rows of the calibration part, from "
    if find(manifest, "conformal", "method") == "least_ambiguous_set":
        about = (
            "1 - p of their true class: a set has each class with a large enough probability, and the most probable one"
        )
    else:
        about = "how far their answers were from the truth: an interval has the same width for every row"
    items: list[Text] = [f"{made}{about}."]
    test = mapping(manifest, "metrics", "test")
    if "coverage" in test:
        name = "interval_width" if "interval_width" in test else "set_size"
        size = f"{'width' if name == 'interval_width' else 'number of classes'} {text(test, name)}"
        items.append(
            f"At the level 0.9, on the {count(manifest, 'split', 'test', 'rows')} rows of the part test: a share of "
            f"{text(test, 'coverage')} has the truth in it; mean {size}."
        )
    return [
        Items(items),
        Paragraph(["A prediction has it where the request asks, by ", Code('"interval": 0.9'), ". ", CAUTION]),
    ]
