"""The commands that describe a version, and compare two."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.options import URL, AsJson, Model, Name, Url, connect
from service.cli.printing import cell, console, done, facts, printable, show, table
from service.model_reference import ModelReference

LINEAGE = ("name", "version", "digest", "data", "job", "initial", "exports", "derived")


def card(
    model: Model,
    out: Annotated[
        Path | None, typer.Option(help="Save it as this file instead of printing; .html for a page with the plots.")
    ] = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Print the model card of a version in Markdown, or save it."""
    name, version = ModelReference.parse(model)
    page = out is not None and out.suffix in (".html", ".htm")
    with connect(url) as client:
        text = client.card(name, version or "latest", "html" if page else "markdown")
    if out is not None:
        out.write_text(text, encoding="utf-8")
        done(str(out), {"saved": str(out)}, as_json)
    elif as_json:
        show({"card": text})
    else:
        print(text, end="")


def lineage(model: Model, as_json: AsJson = False, url: Url = URL) -> None:
    """Show what a version comes from, and what comes from it."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        facts(client.lineage(name, version or "latest"), [*LINEAGE], as_json)


def compare(
    name: Name,
    a: Annotated[str, typer.Argument(metavar="A", help="A number, an alias or latest.")],
    b: Annotated[str, typer.Argument(metavar="B")],
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Compare two versions of a model."""
    with connect(url) as client:
        compared = client.compare(name, a, b)
    if as_json:
        show(compared)
        return
    sides = [f"{side}: {name}@{compared[side]['version']}" for side in ("a", "b")]
    for title in ("spec", "signature", "data"):
        _print(title, sides, _differences(compared[title]))
    _print("metric", sides, _metrics(compared["metrics"]))
    _print("tensor", ["l2", "max", "reason"], _tensors(compared["parameters"]["tensors"]))


def _print(title: str, columns: list[str], rows: Iterator[list[Any]]) -> None:
    names = [title, *columns]
    table((dict(zip(names, row, strict=True)) for row in rows), names, as_json=False)
    console.print()


def _differences(of: dict[str, Any]) -> Iterator[list[Any]]:
    for each in of["differences"]:
        yield [each["pointer"], *(cell(each[side]) if side in each else "(absent)" for side in ("a", "b"))]
    if not of["complete"]:
        yield ["…", "", ""]
    elif not of["differences"]:
        yield ["no difference", "", ""]


def _metrics(metrics: dict[str, Any]) -> Iterator[list[Any]]:
    for part, found in metrics.items():
        for metric, pair in found.items():
            yield [f"{part} {metric}", pair["a"], pair["b"]]


def _tensors(tensors: list[dict[str, Any]]) -> Iterator[list[Any]]:
    for each in tensors:
        yield [printable(each["name"]), each["l2"], each["max"], each["reason"]]
