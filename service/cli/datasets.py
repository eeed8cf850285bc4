"""The commands `modelwright datasets`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.options import URL, AsJson, Name, Url, Yes, confirm, connect
from service.cli.printing import dataset, done, show, table

datasets = typer.Typer(help="Data sets.", no_args_is_help=True)

Separator = Annotated[str | None, typer.Option(help="Between two cells of a line; a tab is `tab`.")]
Decimal = Annotated[str | None, typer.Option(help="Before the fraction of a number: . or ,")]
Encoding = Annotated[str | None, typer.Option(help="Of the text, such as windows-1252.")]
Missing = Annotated[str | None, typer.Option(metavar="WORD,WORD", help="Words for a missing value.")]
SkipLines = Annotated[int | None, typer.Option(help="Lines above the names of the columns.")]
Sheet = Annotated[str | None, typer.Option(help="Of an Excel file; else its first one.")]
SkipBroken = Annotated[bool | None, typer.Option("--skip-broken", help="Leave out any number of broken images.")]
TAB = {"tab": "\t", "\\t": "\t"}


@datasets.command("list")
def list_datasets(as_json: AsJson = False, url: Url = URL) -> None:
    """List the data sets."""
    with connect(url) as client:
        table(client.datasets(), ["name", "version", "rows", "bytes"], as_json)


@datasets.command()
def versions(name: Name, as_json: AsJson = False, url: Url = URL) -> None:
    """List the versions of a data set."""
    from service.cli.calls import pages

    with connect(url) as client:
        found = pages(client, "datasets", name, "versions", key="version")
        table(found, ["version", "created_at", "rows", "bytes", "digest"], as_json)


@datasets.command()
def rows(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 10,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Print the first rows of a data set as they are read."""
    from service.cli.calls import get

    with connect(url) as client:
        found = get(client, "datasets", name, "rows", limit=limit)["data"]
    table(found, list(dict.fromkeys(column for row in found for column in row)), as_json)


@datasets.command("file")
def save_file(
    name: Name,
    item: Annotated[int, typer.Argument(min=0, help="The row, counted from 0.")],
    output: Annotated[
        Path | None, typer.Option("--output", "--out", help="The file; NAME-ITEM with a suffix if not given.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="That has the files, if there are several.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Of the data set; else the newest one.")] = None,
    thumbnail: Annotated[bool, typer.Option("--thumbnail", help="A small picture instead.")] = False,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Save an image or a video of a data set."""
    with connect(url) as client:
        found = client.dataset_file(name, item, column=column, version=version, thumbnail=thumbnail)
    saved = found.save(output or f"{name}-{item}{found.suffix}")
    done(str(saved), {"saved": str(saved)}, as_json)


@datasets.command("show")
def show_dataset(name: Name, as_json: AsJson = False, url: Url = URL) -> None:
    """Show how a data set is read, and its columns."""
    with connect(url) as client:
        answer = client.dataset(name)
    show(answer) if as_json else dataset(answer)


@datasets.command()
def upload(
    name: Name,
    file: Path,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    missing: Missing = None,
    skip_lines: SkipLines = None,
    sheet: Sheet = None,
    skip_broken: SkipBroken = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Upload a file as a new version of a data set; how it is read is detected, except for the options given."""
    reading_options: dict[str, Any] = {"separator": separator, "decimal": decimal, "encoding": encoding}
    reading_options |= {"missing": missing, "skip_lines": skip_lines, "sheet": sheet, "skip_broken": skip_broken}
    with connect(url) as client:
        answer = client.upload_dataset(name, file, **reading_options)
    show(answer) if as_json else dataset(answer)


@datasets.command()
def reread(
    name: Name,
    separator: Separator = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    missing: Missing = None,
    skip_lines: SkipLines = None,
    sheet: Sheet = None,
    date_format: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=FORMAT", help='As "born=%d.%m.%Y"; may be repeated.')
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="COLUMN=TYPE", help="As number or category; may be repeated."),
    ] = None,
    as_json: AsJson = False,
    url: Url = URL,
) -> None:
    """Make a new version of a data set from the same file, read with these options."""
    words = None if missing is None else [word.strip() for word in missing.split(",") if word.strip()]
    reading_options: dict[str, Any] = {
        "separator": TAB.get(separator or "", separator),
        "decimal": decimal,
        "encoding": encoding,
        "missing": words,
    }
    reading_options |= {"skip_lines": skip_lines, "sheet": sheet, "date_formats": by_column(date_format)}
    reading = {each: value for each, value in reading_options.items() if value is not None}
    with connect(url) as client:
        answer = client.change_dataset(name, reading or None, by_column(types))
    show(answer) if as_json else dataset(answer)


@datasets.command("delete")
def delete_dataset(name: Name, yes: Yes = False, as_json: AsJson = False, url: Url = URL) -> None:
    """Delete a data set."""
    confirm(name, yes)
    with connect(url) as client:
        client.delete_dataset(name)
    done(f"Deleted {name}.", {"deleted": name}, as_json)


def by_column(pairs: list[str] | None) -> dict[str, str] | None:
    """`born=datetime` as a column and its value; the name of a column may contain an equals sign."""
    if pairs and not all("=" in pair for pair in pairs):
        raise typer.BadParameter("give COLUMN=… for each column")
    return {column: value for column, _, value in (pair.rpartition("=") for pair in pairs)} if pairs else None
