"""The section on the data: where they come from, their fingerprint, and their parts."""

from collections.abc import Mapping
from typing import Any

from service.workflow.card.document import Block, Code, Paragraph, Table, Text
from service.workflow.card.recorded import NOT_RECORDED, count, find, mapping, shown, text, values

PARTS = ("train", "validation", "test")


def blocks(manifest: Mapping[str, Any]) -> list[Block]:
    """Source, fingerprint and rows, then the parts and how they were chosen."""
    digest = find(manifest, "data", "digest")
    rows: list[tuple[str, Text]] = [
        ("Source", _source(mapping(manifest, "spec", "data"), mapping(manifest, "data"))),
        ("Fingerprint (SHA-256)", Code(digest) if isinstance(digest, str) else NOT_RECORDED),
        ("Rows", count(manifest, "data", "rows")),
    ]
    return [Table(["Data", ""], rows), *_parts(manifest)]


def _source(spec: Mapping[str, Any], recorded: Mapping[str, Any]) -> str:
    match spec.get("kind"):
        case "dataset":
            return f"data set {text(spec, 'dataset')}, version {text(recorded, 'version')}"
        case "rows":
            return f"{len(values(spec, 'records')):,} records in the training's spec"
        case "line":
            line = f"y = {text(spec, 'weight')} x + {text(spec, 'bias')}"
            return f"points of the line {line}, x from {text(spec, 'start')} to {text(spec, 'end')} by {text(spec, 'step')}"
        case str(kind):
            return f"data of the kind {shown(kind)}"
    return NOT_RECORDED


def _parts(manifest: Mapping[str, Any]) -> list[Block]:
    split = mapping(manifest, "split")
    rows = [
        (part, count(split, part, "rows"), Code(text(split, part, "digest")))
        for part in PARTS
        if isinstance(split.get(part), Mapping)
    ]
    if not rows:
        return [Paragraph(f"How the rows were split: {NOT_RECORDED}.")]
    how = _how(mapping(manifest, "spec", "split"))
    return [Table(["Part", "Rows", "SHA-256 of the positions of its rows"], rows), Paragraph(how)]


def _how(split: Mapping[str, Any]) -> str:
    for by, how in {
        "column": "The column {} says which part each row belongs to.",
        "time": "The parts follow each other in the order of the column {}.",
        "group": "Rows with the same value in the column {} are in the same part.",
        "stratify": "The rows were shuffled so that each part has the values of the column {} in like shares.",
    }.items():
        if split.get(by) is not None:
            return how.format(shown(split[by]))
    if split.get("shuffle") is True:
        return f"The rows were shuffled with the seed {text(split, 'seed')} before they were split."
    if split.get("shuffle") is False:
        return "The rows were split in their order."
    return f"How the rows were split: {NOT_RECORDED}."
