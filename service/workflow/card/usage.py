"""The section on how to use the version: with curl, with the Python client, and as ONNX without this software."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from service.workflow.card.columns import example, extent, is_time, moment
from service.workflow.card.document import Block, Code, CodeBlock, Paragraph
from service.workflow.card.recorded import objects
from service.workflow.card.shaped import form, shaped
from service.workflow.card.subject import Subject

MOST_INPUTS = 30  # of a row written out
ADDRESS = "http://127.0.0.1:8000"
ONNX = """\
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file}")
row = {{
{row}
}}
types = {{"tensor(string)": object, "tensor(bool)": bool, "tensor(float)": np.float32, "tensor(double)": np.float64}}
types |= {{"tensor(uint8)": np.uint8, "tensor(int32)": np.int32, "tensor(int64)": np.int64}}
inputs = {{each.name: np.array([row[each.name]], types[each.type]) for each in session.get_inputs()}}
for output, value in zip(session.get_outputs(), session.run(None, inputs)):
    print(output.name, value)"""


def blocks(subject: Subject) -> list[Block]:
    """Examples with one row."""
    inputs = objects(subject.manifest, "signature", "inputs")
    if not inputs:
        return [Paragraph("Without a recorded signature it cannot be shown.")]
    shown = [] if len(inputs) > MOST_INPUTS else inputs
    note = "Replace the address by that of the service. With keys, a request also needs the header "
    return [
        Paragraph([note, Code("Authorization: Bearer mw_..."), "."]),
        CodeBlock("sh", _curl(subject, shown)),
        Paragraph("With the Python client of Modelwright:"),
        CodeBlock("python", _client(subject, shown)),
        Paragraph(
            [
                "Without Modelwright, by ONNX Runtime and numpy. The file is the export ",
                Code("onnx"),
                ". It has an input for each column, an array with one value for each row: numbers as float32 or float64, ",
                "categories as strings, booleans as bool, or as numbers if they may be missing, and dates as float64 seconds ",
                "since 1970-01-01T00:00:00 UTC. A missing value is NaN, or an empty string. The outputs are the predicted ",
                "numbers, or labels as strings and their probabilities.",
                *_about_shapes(inputs),
            ]
        ),
        CodeBlock("python", _onnx(subject, inputs)),
    ]


def _about_shapes(inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    found = [each for each in map(shaped, inputs) if each is not None]
    told = []
    if any(each.file is not None for each in found):
        told.append(" Images and videos are pixels as uint8, already resized.")
    if any(each.kind.texts for each in found):
        told.append(" Texts are ids of their parts.")
    if told:
        told.append(" The files of the export huggingface make both (docs/exports.md).")
    return told


def _files(inputs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The name and the media type of each input that is a file."""
    return [each.file for each in map(shaped, inputs) if each is not None and each.file is not None]


def _curl(subject: Subject, inputs: Sequence[Mapping[str, Any]]) -> str:
    """A command that sends one row; or a file of rows, if there are no inputs, which are too many, or a row is long."""
    address = f"{ADDRESS}{subject.path}/predictions"
    files = _files(inputs)
    if len(inputs) == 1 and files:
        return f"curl {address} -H 'Content-Type: {files[0][1]}' --data-binary @{files[0][0]}"
    row = {str(each.get("name")): _value(subject, each) for each in inputs}
    parts = form(row, inputs) if files else None
    if parts is not None:
        return " \\\n  ".join([f"curl {address}", *(f"{option} {shlex.quote(part)}" for option, part in parts)])
    every = [each for each in map(shaped, objects(subject.manifest, "signature", "inputs")) if each is not None]
    if not inputs and not every:
        return f"curl {address} -H 'Content-Type: text/csv' --data-binary @rows.csv"
    if not inputs or files or any(each.long for each in every):
        return (
            '# rows.json: {"instances": [...]}, with an object for each row\n'
            f"curl {address} -H 'Content-Type: application/json' --data-binary @rows.json"
        )
    body = shlex.quote(json.dumps({"instances": [row]}))
    return f"curl {address} -H 'Content-Type: application/json' \\\n  --data-raw {body}"


def _value(subject: Subject, column: Mapping[str, Any]) -> Any:
    """A value as JSON; an empty list for a file or many numbers."""
    found = shaped(column)
    if found is None or found.kind.texts:
        return example(subject.manifest, column)
    if found.file is not None or found.long:
        return []
    made: Any = 0.0
    for size in reversed(found.shape):
        made = [made] * size
    return made


def _client(subject: Subject, inputs: Sequence[Mapping[str, Any]]) -> str:
    name, version = subject.name or "NAME", subject.number or "VERSION"
    values = [(str(each.get("name")), _for_client(subject, each)) for each in inputs]
    imports = []
    if not inputs:
        imports = ["import json", ""]
    elif _files(inputs):
        imports = ["from pathlib import Path", ""]
    if any(value.startswith("np.") for _, value in values):
        imports = [*imports, "import numpy as np"]
    row = ", ".join(f"{each!a}: {value}" for each, value in values)
    reading = [
        'with open("rows.json") as file:  # a list of objects with a value for each input',
        "    rows = json.load(file)",
    ]
    return "\n".join(
        [
            *imports,
            "from modelwright import Client",
            "",
            *(reading if not inputs else [f"rows = [{{{row}}}]"]),
            f"with Client({ADDRESS!r}) as client:",
            f'    print(client.predict({name!r}, rows, version={version!r})["predictions"])',
        ]
    )


def _for_client(subject: Subject, column: Mapping[str, Any]) -> str:
    """A value in Python."""
    found = shaped(column)
    if found is not None and found.file is not None:
        return f'Path("{found.file[0]}")'
    if found is not None and not found.kind.texts:
        return f"np.zeros({found.shape}).tolist()"
    return f"{example(subject.manifest, column)!a}"


def _onnx(subject: Subject, inputs: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"    {each.get('name')!a}: {_for_onnx(subject.manifest, each)}" for each in inputs[:MOST_INPUTS]]
    if len(inputs) > MOST_INPUTS:
        lines.append("    # and so on, for each of session.get_inputs()")
    return ONNX.format(file=f"{subject.name or 'model'}-{subject.number or 1}.onnx", row="\n".join(lines))


def _for_onnx(manifest: Mapping[str, Any], column: Mapping[str, Any]) -> str:
    """A value with the comma after it, and a comment if it is a date or has a shape."""
    if (found := shaped(column)) is not None:
        return f"np.zeros({found.shape}),  # {'its ids' if found.kind.texts else 'its values'}"
    value, (first, _) = example(manifest, column), extent(manifest, column) or (0.0, 0.0)
    if is_time(column):
        return f"{first!r},  # {moment(first)}"
    return "np.nan," if value is None else f"{value!a},"
