"""The parts of a form (`multipart/form-data`, RFC 7578), with limits on their headers."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from service.api.errors import MalformedForm
from service.api.schemas.bodies import FORM

PLAIN = ("", "7bit", "8bit", "binary")  # values of Content-Transfer-Encoding that do not change the bytes

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # an invalid form is answered, not logged


@dataclass
class Part:
    """One part, as far as it was received."""

    headers: dict[str, str] = field(default_factory=dict)
    name: str = ""
    filename: str | None = None
    content: bytearray = field(default_factory=bytearray)

    @property
    def is_file(self) -> bool:
        """Whether it has a filename, even an empty one."""
        return self.filename is not None


class FormParts:
    """Parses a form piece by piece.

    Args:
        boundary: the boundary between its parts.
        begin: is given each part once its headers are read; it may raise.
        take: is given each piece of a part's bytes; it may raise.
        end: is given each part at its end; it may raise.
    """

    def __init__(
        self,
        boundary: bytes,
        begin: Callable[[Part], None],
        take: Callable[[Part, memoryview], None],
        end: Callable[[Part], None],
    ) -> None:
        self.ended = False
        self._part, self._header, self._value = Part(), bytearray(), bytearray()
        self._begin, self._take, self._end = begin, take, end
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._take_name,
                    "on_header_value": self._take_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._take_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end_form,
                },
            )
        except FormParserError as error:
            raise MalformedForm(f"the form cannot be read: {_reason(error)}") from error

    def feed(self, data: bytes) -> None:
        """Parses the next piece.

        Raises:
            MalformedForm: it is no form.
            Whatever `begin`, `take` and `end` raise.
        """
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise MalformedForm(f"the form cannot be read: {_reason(error)}") from error

    def check_ended(self) -> None:
        """Checks that the last piece was fed.

        Raises:
            MalformedForm: the form is incomplete.
        """
        if not self.ended:
            raise MalformedForm("the form is cut short: its last boundary is missing")

    def _begin_part(self) -> None:
        self._part = Part()

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
        kind, options = parse_options_header(part.headers.get("content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise MalformedForm('each part of a form begins with Content-Disposition: form-data; name="…"')
        part.name = text_of(options[b"name"], "the name of a field")
        if b"filename" in options:
            part.filename = options[b"filename"].decode("utf-8", "replace")
        if part.headers.get("content-transfer-encoding", "").strip().lower() not in PLAIN:
            raise MalformedForm("the parts of a form are sent as they are, without a Content-Transfer-Encoding")
        self._begin(part)

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        self._take(self._part, memoryview(data)[start:end])

    def _end_part(self) -> None:
        self._end(self._part)

    def _end_form(self) -> None:
        self.ended = True


def boundary_of(content_type: str | None) -> bytes:
    """The boundary that a Content-Type names.

    Raises:
        MalformedForm: it names none.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise MalformedForm(f"expected Content-Type: {FORM}; boundary=…")
    return boundary


def text_of(value: bytes, what: str) -> str:
    """A text in UTF-8.

    Raises:
        MalformedForm: it is not UTF-8; `what` is named.
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise MalformedForm(f"{what} is not UTF-8") from None


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
