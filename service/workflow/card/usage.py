"""The section on how to use the version: with curl, with the Python client, and as ONNX without this software."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from service.workflow.card.columns import extent, moment
from service.workflow.card.document import Block, Code, CodeBlock, Paragraph
from service.workflow.card.recorded import objects, values
from service.workflow.card.subject import Subject

MOST_INPUTS = 30  # of a row written out
ADDRESS = "http://127.0.0.1:8000"


def blocks(subject: Subject) -> list[Block]:
    """Examples with one row."""
    inputs = objects(subject.manifest, "signature", "inputs")
    if not inputs:
        return [Paragraph("Without a recorded signature it cannot be shown.")]
    row = {str(each.get("name")): example(subject.manifest, each) for each in inputs[:MOST_INPUTS]}
    wide = len(inputs) > MOST_INPUTS
    note = "Replace the address by that of the service. With keys, a request also needs the header "
    return [
        Paragraph([note, Code("Authorization: Bearer mw_..."), "."]),
        CodeBlock("sh", _curl(subject, None if wide else row)),
        Paragraph("With the Python client of Modelwright:"),
        CodeBlock("python", _client(subject, None if wide else row)),
        Paragraph(
            [
                "Without Modelwright, by ONNX Runtime and numpy. The file is the export ",
                Code("onnx"),
                ". Each input is an array with one value for each row, under the column's name: numbers as ",
                "float32 (float64 where the table says so), categories as strings, booleans as bool, and dates as float64 ",
                "seconds since 1970-01-01T00:00:00 UTC. A missing number or date is NaN, a missing category an empty string.",
            ]
        ),
        CodeBlock("python", _onnx(subject, inputs)),
    ]


def example(manifest: Mapping[str, Any], column: Mapping[str, Any]) -> Any:
    """A value that the column may have, as JSON."""
    kind, found = column.get("type"), extent(manifest, column.get("name"))
    if kind == "category":
        categories = values(column, "categories")
        return categories[0] if categories and isinstance(categories[0], str) else ""
    if kind == "boolean":
        return True
    if kind == "datetime":
        made = moment(0.0 if found is None else found[0])
        return made if made[:1].isdigit() and " " not in made else "2026-01-31"
    return 0.5 if found is None else float(f"{(found[0] / 2 + found[1] / 2):.4g}")


def _curl(subject: Subject, row: dict[str, Any] | None) -> str:
    address = f"{ADDRESS}{subject.path}/predictions"
    if row is None:
        return f"curl {address} -H 'Content-Type: text/csv' --data-binary @rows.csv"
    body = shlex.quote(json.dumps({"instances": [row]}))
    return f"curl {address} -H 'Content-Type: application/json' \\\n  --data-raw {body}"


def _client(subject: Subject, row: dict[str, Any] | None) -> str:
    name, version = subject.name or "NAME", subject.number or "VERSION"
    given = "json.load(file)" if row is None else f"[{row!a}]"
    reading = ["import json", "", 'with open("rows.json") as file:  # a list of objects with a value for each input']
    return "\n".join(
        [
            "from modelwright import Client",
            *((*reading, f"    rows = {given}") if row is None else ("", f"rows = {given}")),
            f"with Client({ADDRESS!r}) as client:",
            f'    print(client.predict({name!r}, rows, version={version!r})["predictions"])',
        ]
    )


def _onnx(subject: Subject, inputs: Sequence[Mapping[str, Any]]) -> str:
    file = f"{subject.name or 'model'}-{subject.number or 1}.onnx"
    lines = ["import numpy as np", "import onnxruntime", "", f'session = onnxruntime.InferenceSession("{file}")']
    lines.append("row = {")
    for each in inputs[:MOST_INPUTS]:
        array, comment = _array(subject.manifest, each)
        lines.append(f"    {each.get('name')!a}: {array},{comment}")
    if len(inputs) > MOST_INPUTS:
        lines.append("    # … and so on for each input of session.get_inputs()")
    lines += ["}", "names = [each.name for each in session.get_outputs()]"]
    lines.append("print(dict(zip(names, session.run(None, row))))")
    return "\n".join(lines)


def _array(manifest: Mapping[str, Any], column: Mapping[str, Any]) -> tuple[str, str]:
    """An array with the example, and a comment after it."""
    value = example(manifest, column)
    match column.get("type"):
        case "category":
            return f"np.array([{value!a}], dtype=object)", ""
        case "boolean":
            return "np.array([True])", ""
        case "datetime":
            found = extent(manifest, column.get("name"))
            return f"np.array([{0.0 if found is None else found[0]!r}], dtype=np.float64)", f"  # {value}"
    return f"np.array([{value!r}], dtype=np.{'float64' if column.get('dtype') == 'float64' else 'float32'})", ""
