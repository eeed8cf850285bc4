"""What `modelwright train` trains: a spec, or a table of which a spec is made."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

Json = dict[str, Any]
MOST_SPEC_BYTES = 16 * 2**20  # as the service accepts them
TABLES_OF_LINES = (".ndjson", ".jsonl")
LONGEST_NAME = 64
PACKED = (".gz", ".zip")


def read_spec(source: str) -> Json | None:
    """The spec in a file, or in stdin for `-`; None if the file is a table.

    A JSON object is a spec. A JSON list, JSON Lines of several objects, and all that is no JSON is a table.

    Raises:
        typer.BadParameter: stdin has no JSON object, or a file with a `data` of a spec is not valid JSON.
        OSError: the file cannot be read.
    """
    if source == "-":
        return json_object(sys.stdin.read(), "-")
    path = Path(source)
    with path.open("rb") as file:  # also tells that there is no such file
        if path.suffix.lower() in TABLES_OF_LINES or path.stat().st_size > MOST_SPEC_BYTES:
            return None
        if not (start := file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()).startswith(b"{"):
            if path.suffix.lower() == ".json" and not start.startswith(b"["):
                raise typer.BadParameter(f"{path} is not JSON: neither a spec (an object) nor a table (a list)")
            return None
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return None if _is_lines(text) else json_object(text, source)


def _is_lines(text: str) -> bool:
    """Whether it is JSON Lines: an object, and others after it."""
    try:
        _, end = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return False
    return text.lstrip()[end:].lstrip().startswith("{")


def json_object(text: str, source: str) -> Json:
    """The JSON object in a text. Raises typer.BadParameter."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{source} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter(f"{source} is not a JSON object")
    return value


def name_from(path: Path) -> str:
    """A name for a data set, made of the name of its file."""
    stem = Path(path.stem) if path.suffix.lower() in PACKED else path
    name = re.sub(r"[^a-z0-9._-]+|\.\.+", "-", stem.stem.lower())[:LONGEST_NAME].strip("._-")
    if not name:
        raise typer.BadParameter(f"no name can be made of {path.name}: give --dataset", param_hint="--dataset")
    return name


def parse_setting(setting: str) -> tuple[list[str], Any]:
    """`training.epochs=50` as keys and a value, which is JSON or else a text. Raises typer.BadParameter."""
    path, equals, text = setting.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise typer.BadParameter(f"{setting}: give PATH=VALUE, as training.epochs=50", param_hint="--set")
    return keys, _value(text)


def apply(spec: Json, changes: Sequence[tuple[list[str], Any]]) -> Json:
    """The spec with values changed, each at its keys: names, and positions in lists, from 0.

    Objects on the way are made where there are none.

    Raises:
        typer.BadParameter: keys lead through a value that is no object and no list.
    """
    spec = json.loads(json.dumps(spec))
    for keys, value in changes:
        _put(spec, keys, value)
    return spec


def _put(place: Any, keys: list[str], value: Any) -> None:
    path = ".".join(keys)
    for number, key in enumerate(keys):
        is_last = number == len(keys) - 1
        if isinstance(place, list):
            if not (key.isascii() and key.isdecimal() and int(key) < len(place)):
                where = ".".join(keys[:number])
                raise typer.BadParameter(
                    f"{path}: {where} is a list of {len(place)}; {key!r} is no position in it, counted from 0",
                    param_hint="--set",
                )
            index: Any = int(key)
        elif isinstance(place, dict):
            index = key
            if not is_last and place.get(key) is None:
                place[key] = {}
        else:
            where = ".".join(keys[:number])
            raise typer.BadParameter(f"{path}: {where} is {json.dumps(place)}, which has no parts", param_hint="--set")
        if is_last:
            place[index] = value
        else:
            place = place[index]


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity are no JSON: they are texts
