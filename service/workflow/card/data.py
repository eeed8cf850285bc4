"""The section on the data: where they come from, their fingerprint, and their parts."""

from collections.abc import Mapping
from typing import Any

from service.workflow.card.document import Block, Code, Paragraph, Table, Text
from service.workflow.card.recorded import NOT_RECORDED, count, find, mapping, shown, text

OTHERS = ("kind", "target", "features", "task")  # fields that are not about where the data come from
MOST_SETTINGS = 24
PARTS = ("train", "validation", "calibration", "test")


def blocks(manifest: Mapping[str, Any]) -> list[Block]:
    """Source, fingerprint and rows, then the parts and how they were chosen."""
    digest = find(manifest, "data", "digest")
    rows: list[tuple[str, Text]] = [
        ("Source", _source(mapping(manifest, "spec", "data"), mapping(manifest, "data"))),
        ("Fingerprint (SHA-256)", Code(digest) if isinstance(digest, str) else NOT_RECORDED),
        ("Rows", count(manifest, "data", "rows")),
    ]
    return [Table(["Data", "Value"], rows), *_parts(manifest)]


def _source(spec: Mapping[str, Any], recorded: Mapping[str, Any]) -> str:
    """The kind of data with its settings; the version of a data set is the one that was read."""
    settings = {**spec, **{name: value for name, value in recorded.items() if name in spec}}
    parts = [_setting(name, value) for name, value in settings.items() if name not in OTHERS][:MOST_SETTINGS]
    return ", ".join([f"kind {text(spec, 'kind')}", *parts]) if "kind" in spec else NOT_RECORDED


def _setting(name: str, value: Any) -> str:
    return f"{shown(name)} {f'({len(value):,})' if isinstance(value, list | dict) else shown(value)}"


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
