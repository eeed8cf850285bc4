"""What the command line prints: JSON, tables and predictions."""

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDEST = 1000  # columns of a table in text

console = Console()


def show(value: Any) -> None:
    """Prints JSON, in colours on a terminal."""
    console.print_json(json.dumps(value)) if console.is_terminal else print(json.dumps(value, indent=2))


def table(rows: Iterable[dict[str, Any]], columns: list[str], as_json: bool) -> None:
    """Prints rows as a table, or as JSON, a row a line."""
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return
    grid = Table(box=None, pad_edge=False)
    for column in columns:
        grid.add_column(column, no_wrap=True)
    for row in short(rows):
        grid.add_row(*(escape(cell(row.get(column))) for column in columns))
    Console(width=WIDEST).print(grid)  # an id that is cut off to the terminal's width is of no use


def facts(about: dict[str, Any], names: list[str], as_json: bool) -> None:
    """Prints some fields of an object, one a line, or the whole object as JSON."""
    if as_json:
        show(about)
        return
    for name in names:
        if text := cell(about.get(name)):
            line(f"{name:<{max(map(len, names))}}  {text}")


def line(text: str, to: Console = console) -> None:
    """Prints a line as it is: not wrapped, and without control characters of terminals."""
    to.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def done(text: str, about: dict[str, Any], as_json: bool) -> None:
    """Prints what was done: a sentence, or an object as JSON."""
    show(about) if as_json else line(text)


def cell(value: Any) -> str:
    """A value as one table cell."""
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {cell(inner)}" for name, inner in value.items())
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(map(printable, value))
    return printable(value) if isinstance(value, str) else json.dumps(value)


def printable(text: str) -> str:
    """A text on one line, without control characters of terminals."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def dataset(about: dict[str, Any]) -> None:
    """Prints a data set: how it is read, notes on that, and its columns."""
    size = f"{about['rows']} rows, {about['bytes']} bytes, {about['media_type']}"
    lines = [f"{about['name']}@{about['version']}: {size}"]
    reading = {name: value for name, value in (about["reading"] or {}).items() if value not in (None, [], {}, 0)}
    lines += [f"Read with {cell(reading)}"] if reading else []
    lines += [f"Note: {note}" for note in about["notes"]]
    for each in lines:
        line(each)
    rows = ({**column, "why": column["reason"]} for column in about["columns"])
    table(rows, ["name", "type", "missing", "distinct", "examples", "why"], as_json=False)


def short(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Rows with shortened digests, and times to the second."""
    for row in rows:
        times = {name: cell(row.get(name))[:19].replace("T", " ") for name in ("created_at", "finished_at")}
        yield row | times | {"digest": cell(row.get("digest"))[:12]}


def prediction_text(prediction: Any) -> str:
    """A prediction as a line: the number, or the label and its probability; with its interval or set if it has one."""
    if isinstance(prediction, dict) and "interval" in prediction:
        return f"{json.dumps(prediction['prediction'])}  {json.dumps(prediction['interval'])}"
    if isinstance(prediction, dict) and "set" in prediction:
        plain = {name: value for name, value in prediction.items() if name != "set"}
        return f"{prediction_text(plain)}  {json.dumps(prediction['set'], ensure_ascii=False)}"
    if isinstance(prediction, dict) and "label" in prediction:
        label = prediction["label"]
        probability = prediction["probabilities"].get(label if isinstance(label, str) else json.dumps(label))
        if probability is not None:
            return f"{label}  {probability:.4f}"
    return json.dumps(prediction)
