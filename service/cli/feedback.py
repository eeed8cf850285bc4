"""The commands that say what was true of predictions, and compare a version with that."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.metrics_table import metrics_table
from service.cli.options import URL, AsJson, Model, Name, Url, connect
from service.cli.printing import done, line, show
from service.model_reference import ModelReference

AT_ONCE = 1000

Request = Annotated[str | None, typer.Argument(metavar="REQUEST", help="The Request-Id of the prediction.")]
Truth = Annotated[str | None, typer.Argument(metavar="TRUTH", help="As JSON; other text is a class.")]
Row = Annotated[int, typer.Option(min=0, help="The row of the request, from 0.")]
File = Annotated[
    Path | None, typer.Option(help='Many, in place of REQUEST and TRUTH: lines of {"request_id", "row", "truth"}.')
]
Hours = Annotated[float, typer.Option(help="Predictions of so many hours before now.")]


def feedback(
    name: Name,
    request: Request = None,
    truth: Truth = None,
    row: Row = 0,
    file: File = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Say what was true of predictions that the service has logged."""
    if (file is None) == (request is None) or (request is None) != (truth is None):
        raise typer.BadParameter("give REQUEST and TRUTH, or --file")
    if file is not None:
        given = [_json(text, at) for at, text in enumerate(_text_of(file).splitlines(), 1) if text.strip()]
    else:
        given = [{"request_id": request, "row": row, "truth": _truth(truth or "")}]
    kept = 0
    with connect(url) as client:
        for start in range(0, len(given), AT_ONCE):
            kept += client.feedback(name, given[start : start + AT_ONCE]).kept
    done(f"{kept} truths are kept.", {"kept": kept}, as_json)


def live_metrics(model: Model, hours: Hours = 24.0, as_json: AsJson = False, url: Url = URL) -> None:
    """Compare a version's metrics on predictions whose truth is known with those of its test part."""
    name, version = ModelReference.parse(model)
    with connect(url) as client:
        found = client.live_metrics(name, version, hours=hours)
    if as_json:
        show(found)
        return
    line(f"{found.name}@{found.version}: {found.rows} predictions since {found.since} whose truth is known")
    if not found.enough:
        line(f"No figures: at least {found.needed} are needed.")
        return
    metrics_table({"live": found.live or {}, "test": found.test or {}})


def _truth(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _json(text: str, at: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"line {at} of the file is no JSON: {error}") from None


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file} is no text in UTF-8: {error.reason} at byte {error.start}") from None
