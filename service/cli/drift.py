"""The command that shows the drift of a model."""

from typing import Annotated, Any

import typer

from service.cli.options import URL, AsJson, Model, Url, connect
from service.cli.printing import line, show, table
from service.model_reference import ModelReference

COLUMNS = ["column", "drifted", "psi", "p_value", "missing", "unknown"]


def drift(
    model: Model,
    hours: Annotated[int, typer.Option(help="The window, 1 to 720.")] = 24,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Compare what a version has predicted lately with what it was trained on."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        found = client.drift(name, version, hours=hours)
    if as_json:
        show(found)
        return
    line(f"{name}@{found.version}, {found.rows} rows since {found.since}")
    if not found.enough:
        line(f"No statement: {found.reason}.")
        return
    rows = [*found.inputs, *(each | {"name": f"{each['name']} (answer)"} for each in found.answers)]
    table(map(_row, rows), COLUMNS, as_json=False)
    line("Drifted." if found.drifted else "No drift found.")


def _row(of: dict[str, Any]) -> dict[str, Any]:
    shares = {name: f"{of[name]:.1%} (was {of[f'reference_{name}']:.1%})" for name in ("missing", "unknown")}
    return {
        "column": of["name"],
        "drifted": "yes" if of["drifted"] else "no",
        "psi": f"{of['psi']:.3f}",
        "p_value": f"{of['p_value']:.2g}",
        **shares,
    }
