"""Forms (`multipart/form-data`) with one file, which is streamed to the disk; the rest is limited in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fastapi import Request

from model_store.os_errors import storage_errors
from service.api.bodies import BLOCK, BODY, temporary_folder, write_body
from service.api.errors import InvalidFields, TooLarge
from service.api.form_parts import FormParts, Part, boundary_of, text_of
from service.workflow.errors import Fault, step
from service.workflow.spec_base import shown

MAX_FIELDS = 10
MAX_FIELD_BYTES = 2**20  # of all fields together, their names included
MAX_OVERHEAD = 2 * 2**20  # bytes of a form that are not its file


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
            parser = FormParser(boundary_of(request.headers.get("content-type")), file, most)
            await write_body(request, most + MAX_OVERHEAD, parser.feed)
        yield parser.form(path)


class FormParser:
    """Parses a form piece by piece, and writes its file.

    Args:
        boundary: the boundary between its parts.
        file: the file to write to.
        most: how many bytes the file may have.
    """

    def __init__(self, boundary: bytes, file: BinaryIO, most: int) -> None:
        self._file, self._most = file, most
        self._fields: list[tuple[str, str]] = []
        self._file_part: Part | None = None
        self._file_bytes = self._field_bytes = self._overhead = 0
        self._parts = FormParts(boundary, self._begin, self._take, self._end)

    def feed(self, data: bytes) -> None:
        """Parses the next piece.

        Raises:
            MalformedForm, InvalidFields, TooLarge: as `form_on_disk`.
        """
        self._overhead += len(data)
        before = self._file_bytes
        self._parts.feed(data)
        self._overhead -= self._file_bytes - before
        if self._overhead > MAX_OVERHEAD:
            raise TooLarge(f"the form has more than {MAX_OVERHEAD} bytes around its file")

    def form(self, path: Path) -> Form:
        """The form, after its last piece.

        Raises:
            MalformedForm: it is incomplete.
            InvalidFields: it has no file.
        """
        self._parts.check_ended()
        part = self._file_part
        if part is None:
            raise InvalidFields(Fault("", "the form has no file; one is expected, as curl -F file=@table.csv sends it"))
        return Form(path, part.filename or "", part.headers.get("content-type", ""), self._fields)

    def _begin(self, part: Part) -> None:
        if not part.is_file:
            self._count(len(part.name.encode()))
            if len(self._fields) == MAX_FIELDS:
                raise InvalidFields(Fault(step(part.name), f"one field too many: at most {MAX_FIELDS} are taken"))
        elif self._file_part is not None:
            raise InvalidFields(Fault(step(part.name), "a second file; a data set is made of one"))
        else:
            self._file_part = part

    def _take(self, part: Part, data: memoryview) -> None:
        if not part.is_file:
            self._count(len(data))
            part.content += data
            return
        self._file_bytes += len(data)
        if self._file_bytes > self._most:
            raise TooLarge(f"the file has more than {self._most} bytes, the most that is taken here")
        self._file.write(data)

    def _count(self, more: int) -> None:
        self._field_bytes += more
        if self._field_bytes > MAX_FIELD_BYTES:
            raise TooLarge(f"the fields beside the file have more than {MAX_FIELD_BYTES} bytes")

    def _end(self, part: Part) -> None:
        if not part.is_file:
            self._fields.append((part.name, text_of(bytes(part.content), f"the field {shown(part.name)}")))
