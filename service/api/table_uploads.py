"""Uploads of tables, as a body or as the file of a form, with the options of how they are read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fastapi import Request
from python_multipart.multipart import parse_options_header

from service.api.bodies import body_on_disk
from service.api.errors import UnsupportedMediaType
from service.api.forms import Form, form_on_disk
from service.api.reading_options import options_of
from service.api.schemas.bodies import FORM
from service.workflow.data.formats import CSV, FORMATS, JSON, JSON_LINES, NPY, NPZ, ZIP
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.sniff import MEDIA_TYPES, SUFFIXES

BYTES = "application/octet-stream"
USUAL = (*FORMATS, ZIP, NPZ, NPY, FORM, BYTES)  # media types in messages; more are accepted
PACKED = (".gz", ".zip")


@dataclass(frozen=True)
class TableUpload:
    """A file, its media type ("" if not known), and how to read it."""

    path: Path
    media_type: str
    options: ReadingOptions


@asynccontextmanager
async def table_on_disk(request: Request, folder: Path, most: int) -> AsyncIterator[TableUpload]:
    """The table as a file in a temporary folder below `folder`.

    Raises:
        UnsupportedMediaType: the Content-Type is not one of a table.
        InvalidFields: a parameter of the query or a field of the form is not valid.
        Others: as `body_on_disk` and `form_on_disk`.
    """
    fields = request.query_params.multi_items()
    given, parameters = _content_type(request.headers.get("content-type", ""))
    if given == FORM:
        options_of(fields)  # before anything is read
        async with form_on_disk(request, folder, most) as form:
            media_type, charset = _of_part(form)
            yield TableUpload(form.path, media_type, options_of([*fields, *form.fields], charset))
        return
    if given not in MEDIA_TYPES:
        hint = "; curl sends a form with -F file=@table.csv" if given == "application/x-www-form-urlencoded" else ""
        raise UnsupportedMediaType(f"expected Content-Type: {' or '.join(USUAL)}{hint}")
    media_type = MEDIA_TYPES[given]
    options = options_of(fields, _charset(media_type, parameters))
    async with body_on_disk(request, folder, most) as path:
        yield TableUpload(path, media_type, options)


def _content_type(value: str) -> tuple[str, dict[bytes, bytes]]:
    given, parameters = parse_options_header(value)
    return given.decode("latin-1").strip(), parameters


def _of_part(form: Form) -> tuple[str, str]:
    """The media type of a form's file, by its Content-Type or else its name; and its charset."""
    given, parameters = _content_type(form.content_type)
    media_type = MEDIA_TYPES.get(given, "") or SUFFIXES.get(_suffix(form.filename), "")
    return media_type, _charset(media_type, parameters)


def _suffix(filename: str) -> str:
    name = PurePosixPath(filename.lower())
    return PurePosixPath(name.stem).suffix if name.suffix in PACKED else name.suffix


def _charset(media_type: str, parameters: dict[bytes, bytes]) -> str:
    """The charset parameter; only of text formats."""
    is_text = media_type in ("", CSV, JSON, JSON_LINES)
    return parameters.get(b"charset", b"").decode("latin-1") if is_text else ""
