"""Inputs whose values have a shape, such as images, in a model card: what they are, and how one is sent."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.workflow.card.recorded import shown, values

PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .-]*", re.ASCII)  # one that curl takes before `=`
TIMES = " × "


@dataclass(frozen=True)
class File:
    """A file that a request may have as a value: its name in examples, and its media type."""

    name: str
    media_type: str


FILES = {"image": File("photo.jpg", "image/jpeg"), "video": File("clip.mp4", "video/mp4")}


def shape_of(column: Mapping[str, Any]) -> list[int] | None:
    """The shape of an input's values; None if they have none."""
    found = values(column, "shape")
    whole = all(isinstance(each, int) and not isinstance(each, bool) and 0 < each < 10**9 for each in found)
    return list(found) if found and whole else None


def file_of(column: Mapping[str, Any]) -> File | None:
    """The file that is sent as a value of this input; None if it is no file."""
    kind = column.get("type")
    return FILES.get(kind) if isinstance(kind, str) and shape_of(column) is not None else None


def description(column: Mapping[str, Any]) -> str | None:
    """What an input's values become, in words; None if they have no shape."""
    shape = shape_of(column)
    match column.get("type"), shape:
        case _, None:
            return None
        case "image", [channels, height, width]:
            return f"{_colours(channels)} images, resized to {height}{TIMES}{width} pixels (height{TIMES}width)"
        case "video", [frames, channels, height, width]:
            return f"{frames} frames of each clip, in {_colours(channels)}, resized to {height}{TIMES}{width} pixels"
        case "text", [length]:
            return f"texts, of each the first {length:,} {_pieces(column)}"
    sizes = TIMES.join(str(each) for each in shape or ())
    return f"arrays of {sizes} numbers{' from 0 to 255' if column.get('dtype') == 'uint8' else ''}"


def form(row: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]] | None:
    """A row as arguments of curl's `-F` (a file) and `--form-string`; None if curl would misread a name, or a value is neither a
    file nor a plain value."""
    parts = []
    for each in inputs:
        name, file = str(each.get("name")), file_of(each)
        value = row.get(name)
        if not PLAIN_NAME.fullmatch(name) or (file is None and isinstance(value, list | dict)):
            return None
        if file is not None:
            parts.append(("-F", f"{name}=@{file.name}"))
        elif value is not None:
            parts.append(("--form-string", f"{name}={value if isinstance(value, str) else _text(value)}"))
    return parts


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else shown(value)


def _colours(channels: Any) -> str:
    return {1: "grey", 3: "colour"}.get(channels, f"{channels}-channel")


def _pieces(column: Mapping[str, Any]) -> str:
    text = column.get("text")
    encoding = text.get("encoding") if isinstance(text, Mapping) else None
    return {"ngrams": "n-grams", "bpe": "pieces of a byte-pair vocabulary"}.get(str(encoding), "parts")
