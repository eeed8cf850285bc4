"""Forms (`multipart/form-data`) with one file, which is streamed to the disk; the rest is limited in memory."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from model_store.os_errors import storage_errors
from service.api.bodies import BLOCK, BODY, temporary_folder, write_body
from service.api.errors import InvalidFields, MalformedForm, TooLarge
from service.api.schemas.bodies import FORM
from service.workflow.errors import Fault, step
from service.workflow.spec_base import shown

MAX_FIELDS = 10
MAX_FIELD_BYTES = 2**20  # of all fields together, their names included
MAX_OVERHEAD = 2 * 2**20  # bytes of a form that are not its file
PLAIN = ("", "7bit", "8bit", "binary")  # values of Content-Transfer-Encoding that do not change the bytes

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # an invalid form is answered, not logged


@dataclass(frozen=True)
class Form:
    """A complete form: its file with filename and Content-Type, and its other fields as pairs of name and text."""

    path: Path
    filename: str
    content_type: str
    fields: list[tuple[str, str]]


@asynccontextmanager
async def form_on_disk(request: Request, folder: Path, most: int) -> AsyncIterator[Form]:
    """The form, with its file in a temporary folder below `folder`.

    Raises:
        MalformedForm: it is not a form, or is incomplete.
        InvalidFields: it has no file, more than one, or too many fields.
        TooLarge, InvalidCoding: the file has more bytes than `most`, or the body does not match its Content-Encoding.
        NoSpace: the disk is full.
    """
    with temporary_folder(folder) as own:
        path = own / BODY
        with storage_errors(), path.open("wb", buffering=BLOCK) as file:
            parser = FormParser(_boundary(request), file, most)
            await write_body(request, most + MAX_OVERHEAD, parser.feed)
        yield parser.form(path)


def _boundary(request: Request) -> bytes:
    _, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise MalformedForm(f"expected Content-Type: {FORM}; boundary=…")
    return boundary


@dataclass
class _Part:
    """One part, as far as it was received."""

    headers: dict[str, str] = field(default_factory=dict)
    name: str = ""
    is_file: bool = False
    text: bytearray = field(default_factory=bytearray)


def _reason(error: FormParserError) -> str:
    """The error of the parser as a message for clients."""
    said = str(error)
    if "header count" in said:
        return "a part has more than 8 headers"
    if "header size" in said:
        return "a header of a part has more than 4 KiB"
    if "Boundary length" in said:
        return "its boundary is longer than the 70 characters that RFC 2046 allows"
    return "RFC 7578 has its parts between lines of the boundary that the Content-Type names"


class FormParser:
    """Parses a form piece by piece, and writes its file.

    Args:
        boundary: the boundary between its parts.
        file: the file to write to.
        most: how many bytes the file may have.
    """

    def __init__(self, boundary: bytes, file: BinaryIO, most: int) -> None:
        self._file, self._most = file, most
        self._part, self._header, self._value = _Part(), bytearray(), bytearray()
        self._fields: list[tuple[str, str]] = []
        self._file_part: _Part | None = None
        self._file_bytes = self._field_bytes = self._overhead = 0
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._take_name,
                    "on_header_value": self._take_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._take,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise MalformedForm(f"the form cannot be read: {_reason(error)}") from error

    def feed(self, data: bytes) -> None:
        """Parses the next piece.

        Raises:
            MalformedForm, InvalidFields, TooLarge: as `form_on_disk`.
        """
        self._overhead += len(data)
        before = self._file_bytes
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise MalformedForm(f"the form cannot be read: {_reason(error)}") from error
        self._overhead -= self._file_bytes - before
        if self._overhead > MAX_OVERHEAD:
            raise TooLarge(f"the form has more than {MAX_OVERHEAD} bytes around its file")

    def form(self, path: Path) -> Form:
        """The form, after its last piece.

        Raises:
            MalformedForm: it is incomplete.
            InvalidFields: it has no file.
        """
        if not self._ended:
            raise MalformedForm("the form is cut short: its last boundary is missing")
        if self._file_part is None:
            raise InvalidFields(Fault("", "the form has no file; one is expected, as curl -F file=@table.csv sends it"))
        headers = self._file_part.headers
        filename = _options(headers)[1].get(b"filename", b"").decode("utf-8", "replace")
        return Form(path, filename, headers.get("content-type", ""), self._fields)

    def _begin(self) -> None:
        self._part = _Part()

    def _take_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        name = self._header.decode("latin-1").lower()
        if name in self._part.headers:
            raise MalformedForm(f"a part of the form has the header {name} twice")
        self._part.headers[name] = self._value.decode("latin-1")
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        part = self._part
        kind, options = _options(part.headers)
        if kind != b"form-data" or b"name" not in options:
            raise MalformedForm('each part of a form begins with Content-Disposition: form-data; name="…"')
        part.name, part.is_file = _text(options[b"name"], "the name of a field"), b"filename" in options
        if part.headers.get("content-transfer-encoding", "").strip().lower() not in PLAIN:
            raise MalformedForm("the parts of a form are sent as they are, without a Content-Transfer-Encoding")
        if not part.is_file:
            self._count(len(options[b"name"]))
            if len(self._fields) == MAX_FIELDS:
                raise InvalidFields(Fault(step(part.name), f"one field too many: at most {MAX_FIELDS} are taken"))
        elif self._file_part is not None:
            raise InvalidFields(Fault(step(part.name), "a second file; a data set is made of one"))
        else:
            self._file_part = part

    def _take(self, data: bytes, start: int, end: int) -> None:
        if not self._part.is_file:
            self._count(end - start)
            self._part.text += data[start:end]
            return
        self._file_bytes += end - start
        if self._file_bytes > self._most:
            raise TooLarge(f"the file has more than {self._most} bytes, the most that is taken here")
        self._file.write(memoryview(data)[start:end])

    def _count(self, more: int) -> None:
        self._field_bytes += more
        if self._field_bytes > MAX_FIELD_BYTES:
            raise TooLarge(f"the fields beside the file have more than {MAX_FIELD_BYTES} bytes")

    def _end_part(self) -> None:
        part = self._part
        if not part.is_file:
            self._fields.append((part.name, _text(bytes(part.text), f"the field {shown(part.name)}")))

    def _end(self) -> None:
        self._ended = True


def _options(headers: dict[str, str]) -> tuple[bytes, dict[bytes, bytes]]:
    return parse_options_header(headers.get("content-disposition"))


def _text(value: bytes, what: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise MalformedForm(f"{what} is not UTF-8") from None
