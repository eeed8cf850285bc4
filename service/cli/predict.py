"""The command `modelwright predict`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.options import URL, AsJson, Model, Url, connect
from service.cli.printing import console, done, prediction_text, show
from service.model_reference import ModelReference

Features = Annotated[list[str] | None, typer.Argument(metavar="[FEATURE=VALUE]...", help="One row.")]
Instances = Annotated[str | None, typer.Option(help="Rows as JSON, or - to read them from stdin.")]
RowsFile = Annotated[
    Path | None,
    typer.Option("--file", help="A file of rows of any length: .csv, .tsv, .ndjson, .parquet, .arrow or .npy."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="The file for the predictions, for --file: .csv, .ndjson, .parquet, .arrow or .npy; else stdout."
    ),
]


def predict(
    model: Model,
    features: Features = None,
    instances: Instances = None,
    file: RowsFile = None,
    out: Out = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Predict for one row, for many, or for a file of rows, which is sent in pieces."""
    name, version = ModelReference.parse(model)
    given = [
        what
        for what, is_given in (("FEATURE=VALUE", features), ("--instances", instances), ("--file", file))
        if is_given
    ]
    if len(given) != 1:
        raise typer.BadParameter("give FEATURE=VALUE for each feature, --instances or --file; one of them")
    if out is not None and file is None:
        raise typer.BadParameter("it is for the predictions of a --file", param_hint="--out")
    if file is not None:
        _predict_file(name, version, file, out, as_json, url)
        return
    with connect(url) as client:
        if instances:
            answer = client.predict(name, read_rows(instances), version=version)
        else:
            answer = client.predict(name, query=pairs(features or []), version=version)
    if as_json:
        show(answer)
        return
    for prediction in answer["predictions"]:
        console.print(prediction_text(prediction), markup=False, highlight=False, soft_wrap=True)


def _predict_file(name: str, version: int | str | None, file: Path, out: Path | None, as_json: bool, url: str) -> None:
    from service.cli.prediction_files import MEDIA_TYPES, save
    from service.cli.prediction_pieces import predict_pieces
    from service.cli.rows_files import LINES, read_rows_file, suffix_of

    rows = read_rows_file(file)
    if out is None:
        with connect(url) as client:
            for piece in predict_pieces(client, name, version, rows, LINES):
                for each in piece.content.splitlines():
                    print(each.decode() if as_json else prediction_text(json.loads(each)))
        return
    media_type = MEDIA_TYPES[suffix_of(out, MEDIA_TYPES, "--out")]
    if out.exists() and file.exists() and out.samefile(file):
        raise typer.BadParameter("it is the file with the rows", param_hint="--out")
    with connect(url) as client:
        saved = save(out, predict_pieces(client, name, version, rows, media_type))
    model = f"{saved.model}@{saved.version}"
    done(
        f"{saved.rows} predictions of {model} in {out}.",
        {"saved": str(out), "rows": saved.rows, "model": model},
        as_json,
    )


def pairs(features: list[str]) -> dict[str, str]:
    """`x=0.5 y=1` as names and values."""
    if not features or not all("=" in feature for feature in features):
        raise typer.BadParameter("give FEATURE=VALUE for each feature, --instances or --file")
    return dict(feature.split("=", 1) for feature in features)


def read_rows(text: str) -> list[Any]:
    """The JSON list in a text, or in stdin when it is `-`."""
    try:
        rows = json.loads(sys.stdin.read() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"the instances are not JSON: {error}") from error
    if not isinstance(rows, list):
        raise typer.BadParameter('the instances are no JSON list, like [[0.5], [0.6]] or [{"x": 0.5}]')
    return rows
