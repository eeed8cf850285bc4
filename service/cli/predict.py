"""The command `modelwright predict`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.options import URL, AsJson, Model, Url, connect
from service.cli.printing import console, done, prediction_text, show
from service.model_reference import ModelReference

Features = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FEATURE=VALUE | FILE]...", help="One row; or files, such as images, each of a row."),
]
InputName = Annotated[
    str | None,
    typer.Option("--input", help="The input whose values the FILEs are, where the model has several."),
]
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
Interval = Annotated[
    float | None,
    typer.Option(help="A probability, such as 0.9: also print what the truth is in with this probability."),
]


def predict(
    model: Model,
    features: Features = None,
    input_name: InputName = None,
    instances: Instances = None,
    file: RowsFile = None,
    out: Out = None,
    interval: Interval = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Predict for one row, for many, for images and other files, or for a file of rows, which is sent in pieces."""
    name, version = ModelReference.parse(model)
    given = [
        what
        for what, is_given in (("FEATURE=VALUE", features), ("--instances", instances), ("--file", file))
        if is_given
    ]
    if len(given) != 1:
        raise typer.BadParameter("give FEATURE=VALUE for each feature, files, --instances or --file; one of them")
    files, values = apart(features or [])
    if input_name is not None and not files:
        raise typer.BadParameter("it is the input of files that are named beside it", param_hint="--input")
    if out is not None and file is None:
        raise typer.BadParameter("it is for the predictions of a --file", param_hint="--out")
    if interval is not None and file is not None:
        raise typer.BadParameter(
            "it is for rows that are given here; those of a --file have none", param_hint="--interval"
        )
    if file is not None:
        _predict_file(name, version, file, out, as_json, url)
        return
    with connect(url) as client:
        if instances:
            answer = client.predict(name, read_rows(instances), version=version, interval=interval)
        elif files:
            answer = client.predict(name, rows_of_files(files, input_name, values), version=version, interval=interval)
        else:
            answer = client.predict(name, query=pairs(values), version=version, interval=interval)
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


def apart(given: list[str]) -> tuple[list[Path], list[str]]:
    """The paths of files, and the rest, which is FEATURE=VALUE."""
    files = [Path(each) for each in given if "=" not in each or Path(each).is_file()]
    for each in files:
        if not each.is_file():
            raise typer.BadParameter(f"{str(each)!r} is neither FEATURE=VALUE nor a file")
    return files, [each for each in given if Path(each) not in files]


def rows_of_files(files: list[Path], input_name: str | None, values: list[str]) -> list[Any]:
    """A row for each file, with the same values of the other inputs."""
    if input_name is None:
        if values:
            raise typer.BadParameter("name the input of the files, since the model has others", param_hint="--input")
        return list(files)
    others = {name: scalar(value) for name, value in pairs(values).items()} if values else {}
    return [{input_name: file, **others} for file in files]


def scalar(text: str) -> Any:
    """A number, true or false where the text is one, as JSON writes it."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


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
