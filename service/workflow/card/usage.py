"""The section on how to use the version: with curl, with the Python client, and as ONNX without this software."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from service.workflow.card.columns import example, extent, is_time, moment
from service.workflow.card.document import Block, Code, CodeBlock, Paragraph
from service.workflow.card.recorded import objects
from service.workflow.card.shaped_usage import IN_ONNX, READ_PICTURE, curl, for_onnx, imports_of, is_shaped, literal
from service.workflow.card.subject import Subject

MOST_INPUTS = 30  # of a row written out
ADDRESS = "http://127.0.0.1:8000"
TYPES = '"tensor(string)": object, "tensor(bool)": bool, "tensor(float)": np.float32, "tensor(double)": np.float64'
ONNX = """\
import numpy as np
import onnxruntime{imports}
{functions}
session = onnxruntime.InferenceSession("{file}")
row = {{
{row}
}}
types = {{{types}}}
inputs = {{each.name: np.array([row[each.name]], types[each.type]) for each in session.get_inputs()}}
for output, value in zip(session.get_outputs(), session.run(None, inputs)):
    print(output.name, value)"""


def blocks(subject: Subject) -> list[Block]:
    """Examples with one row."""
    inputs = objects(subject.manifest, "signature", "inputs")
    if not inputs:
        return [Paragraph("Without a recorded signature it cannot be shown.")]
    wide, shaped = len(inputs) > MOST_INPUTS, any(map(is_shaped, inputs))
    row = {str(each.get("name")): example(subject.manifest, each) for each in inputs[:MOST_INPUTS]}
    note = "Replace the address by that of the service. With keys, a request also needs the header "
    return [
        Paragraph([note, Code("Authorization: Bearer mw_..."), "."]),
        CodeBlock("sh", _curl(subject, inputs, None if wide else row)),
        Paragraph("With the Python client of Modelwright:"),
        CodeBlock("python", _client(subject, inputs, None if wide else row)),
        Paragraph(
            [
                "Without Modelwright, by ONNX Runtime and numpy. The file is the export ",
                Code("onnx"),
                ". It has an input for each column, an array with one value for each row: numbers as float32 or float64, ",
                "categories as strings, booleans as bool, or as numbers if they may be missing, and dates as float64 seconds ",
                "since 1970-01-01T00:00:00 UTC. A missing value is NaN, or an empty string. The outputs are the predicted ",
                "numbers, or labels as strings and their probabilities.",
                *([f" {IN_ONNX}"] if shaped else []),
            ]
        ),
        CodeBlock("python", _onnx(subject, inputs)),
    ]


def _curl(subject: Subject, inputs: Sequence[Mapping[str, Any]], row: dict[str, Any] | None) -> str:
    address = f"{ADDRESS}{subject.path}/predictions"
    if any(map(is_shaped, inputs)):
        return curl(address, subject.manifest, inputs)
    if row is None:
        return f"curl {address} -H 'Content-Type: text/csv' --data-binary @rows.csv"
    body = shlex.quote(json.dumps({"instances": [row]}))
    return f"curl {address} -H 'Content-Type: application/json' \\\n  --data-raw {body}"


def _client(subject: Subject, inputs: Sequence[Mapping[str, Any]], row: dict[str, Any] | None) -> str:
    name, version = subject.name or "NAME", subject.number or "VERSION"
    given, imports = "json.load(file)" if row is None else f"[{row!a}]", list[str]()
    if row is not None and any(map(is_shaped, inputs)):
        pairs = (f"{each.get('name')!a}: {literal(subject.manifest, each)}" for each in inputs)
        given, imports = f"[{{{', '.join(pairs)}}}]", imports_of(inputs)
    reading = ["import json", "", 'with open("rows.json") as file:  # a list of objects with a value for each input']
    return "\n".join(
        [
            *imports,
            "from modelwright import Client",
            *((*reading, f"    rows = {given}") if row is None else ("", f"rows = {given}")),
            f"with Client({ADDRESS!r}) as client:",
            f'    print(client.predict({name!r}, rows, version={version!r})["predictions"])',
        ]
    )


def _onnx(subject: Subject, inputs: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"    {each.get('name')!a}: {for_onnx(each) if is_shaped(each) else _for_onnx(subject.manifest, each)}"
        for each in inputs[:MOST_INPUTS]
    ]
    if len(inputs) > MOST_INPUTS:
        lines.append("    # and so on, for each of session.get_inputs()")
    picture, types = any(each.get("type") == "image" for each in inputs), TYPES
    if any(map(is_shaped, inputs)):
        types += ', "tensor(uint8)": np.uint8, "tensor(int64)": np.int64'
    return ONNX.format(
        file=f"{subject.name or 'model'}-{subject.number or 1}.onnx",
        row="\n".join(lines),
        imports="\nfrom PIL import Image, ImageOps" if picture else "",
        functions=f"\n\n{READ_PICTURE}\n" if picture else "",
        types=types,
    )


def _for_onnx(manifest: Mapping[str, Any], column: Mapping[str, Any]) -> str:
    """A value with the comma after it, and a comment if it is a date."""
    value, (first, _) = example(manifest, column), extent(manifest, column) or (0.0, 0.0)
    if is_time(column):
        return f"{first!r},  # {moment(first)}"
    return "np.nan," if value is None else f"{value!a},"
