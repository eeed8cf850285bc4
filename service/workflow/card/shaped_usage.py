"""How to use a version whose inputs have values with a shape: files of the reader's, texts, and arrays of zeros as examples."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from service.workflow.card.columns import example
from service.workflow.card.recorded import values
from service.workflow.data.types.registry import COLUMN_TYPES

FILES = {"image": ("picture.jpg", "image/jpeg"), "video": ("clip.mp4", "video/mp4")}
READ_PICTURE = """\
def picture(path, channels, height, width):  # uint8; what is transparent must lie on white
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB" if channels == 3 else "L")
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)
"""
IN_ONNX = (
    "Images and videos are uint8, [channels, height, width] or [frames, channels, height, width], and tensors float32 or uint8. "
    "A text is the int64 ids that the function `read_text` in the export `huggingface` makes of it."
)

Column = Mapping[str, Any]  # an input, as the manifest has it


def is_shaped(column: Column) -> bool:
    """Whether the values of an input have a shape."""
    kind = column.get("type")
    return isinstance(kind, str) and kind in COLUMN_TYPES and COLUMN_TYPES[kind].shaped


def shape_of(column: Column) -> tuple[int, ...]:
    """The shape of such a value; an empty one if it is not recorded."""
    found = values(column, "shape")
    return tuple(found) if all(isinstance(each, int) and each > 0 for each in found) else ()


def curl(address: str, manifest: Mapping[str, Any], inputs: Sequence[Column]) -> str:
    """A command that asks for one prediction. A file that is the only input is the body; another one is read into the JSON by
    `base64`, through a pipe, as a command's arguments have a limit."""
    kinds = [each.get("type") for each in inputs]
    if len(inputs) == 1 and kinds[0] in FILES:
        name, media_type = FILES[str(kinds[0])]
        return f"curl {address} -H 'Content-Type: {media_type}' --data-binary @{name}"
    if "tensor" in kinds:
        comment = '# rows.json has {"instances": [row, ...]}: an object with a value for each input, lists for a tensor'
        return f"{comment}\ncurl {address} -H 'Content-Type: application/json' --data-binary @rows.json"
    row, files = dict[str, Any](), list[str]()
    for each, kind in zip(inputs, kinds, strict=True):
        value = example(manifest, each)
        if kind in FILES:
            files.append(FILES[str(kind)][0])
            value = {"b64": None}
        row[str(each.get("name"))] = value
    body = json.dumps({"instances": [row]})
    mark = '{"b64": null}'
    parts = [shlex.quote(part) for part in body.split(mark)]
    made = parts[0]
    for file, part in zip(files, parts[1:], strict=False):
        made += f"""'{{"b64": "'"$(base64 < {file} | tr -d '\\n')"'"}}'{part}"""
    return f"printf %s {made} |\n  curl {address} -H 'Content-Type: application/json' --data-binary @-"


def literal(manifest: Mapping[str, Any], column: Column, path: str = "Path({!r})") -> str:
    """A value as Python has it, where `path` is the form of a file's name."""
    if column.get("type") in FILES:
        return path.format(FILES[str(column.get("type"))][0])
    if column.get("type") == "tensor":
        return f"np.zeros({shape_of(column)}).tolist()"
    return f"{example(manifest, column)!a}"


def imports_of(inputs: Sequence[Column]) -> list[str]:
    """What Python needs for `literal`."""
    kinds = {each.get("type") for each in inputs}
    return [
        *(["from pathlib import Path", ""] if not kinds.isdisjoint(FILES) else []),
        *(["import numpy as np"] if "tensor" in kinds else []),
    ]


def for_onnx(column: Column) -> str:
    """An array for ONNX Runtime, with the comma after it."""
    kind, shape = column.get("type"), shape_of(column)
    if kind == "image":
        return f"picture({FILES['image'][0]!r}, {', '.join(map(str, shape))}),"
    if kind == "text":
        return f"np.zeros({shape}, np.int64),  # the ids of a text"
    return f"np.zeros({shape}, np.{'uint8' if column.get('dtype') == 'uint8' else 'float32'}),"
