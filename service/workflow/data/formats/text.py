"""The encoding of a text file, and its conversion to UTF-8 with line feeds."""

import codecs
from pathlib import Path

from service.workflow.errors import InvalidData

CHUNK = 2**20
SAMPLE = 2**16  # bytes that determine the line ends
UTF8 = "utf-8"
BOM_BYTES = codecs.BOM_UTF8
_MARKS = ((codecs.BOM_UTF8, UTF8), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
WESTERN = "windows-1252"


def find_encoding(path: Path) -> str:
    """The encoding of a text: by its byte order mark, else UTF-8 if all of it is valid, else windows-1252.

    Raises:
        InvalidData: it has none of these.
    """
    with path.open("rb") as file:
        start = file.read(SAMPLE)
    for mark, encoding in _MARKS:
        if start.startswith(mark) and _is_in(path, encoding):
            return encoding
    if (zeros := start.count(0)) > len(start) // 4:
        wide = "utf-16-le" if start[1::2].count(0) > zeros // 2 else "utf-16-be"
        if _is_in(path, wide):
            return wide
    if _is_in(path, UTF8):
        return UTF8
    line, partly = _not_utf8(path)
    if partly or not _is_in(path, WESTERN):
        what = f"line {line} is no text in UTF-8, nor is the file in {WESTERN}"
        raise InvalidData(f"{what}; give its `encoding`")
    return WESTERN


def _not_utf8(path: Path) -> tuple[int, bool]:
    """The first line that is not UTF-8, and whether another line is UTF-8 beyond ASCII: then the whole file should be."""
    first, partly = 0, False
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.isascii():
                continue
            try:
                line.decode(UTF8)
                partly = True
            except UnicodeDecodeError:
                first = first or number
            if first and partly:
                break
    return first, partly


def check_encoding(path: Path, encoding: str) -> None:
    """Raises InvalidData, with the line, for a text that is not in this encoding."""
    if not _is_in(path, encoding):
        raise InvalidData(f"line {_first_wrong_line(path, encoding)} is no text in {encoding}; give another `encoding`")


def _first_wrong_line(path: Path, encoding: str) -> int:
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with path.open("rb") as file:
        try:
            while chunk := file.read(CHUNK):
                line += decoder.decode(chunk).count("\n")
        except UnicodeDecodeError as error:
            line += bytes(error.object[: error.start]).count(b"\n")
        except UnicodeError:  # the byte order mark is missing
            return 1
    return line


def _is_in(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeError:  # includes a missing byte order mark
        return False
    return True


def as_utf8(path: Path, encoding: str, scratch: Path) -> Path:
    """A text in UTF-8 with line feeds: the file itself if it is already, else a copy below `scratch`."""
    returns = _ends_lines_with_returns(path, encoding)
    if encoding == UTF8 and not returns:
        return path
    made = scratch / "utf8.txt"
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as source, made.open("w", encoding=UTF8, newline="") as target:
        while True:
            chunk = source.read(CHUNK)
            text = decoder.decode(chunk, final=not chunk)
            target.write(text.replace("\r\n", "\n").replace("\r", "\n") if returns else text)
            if not chunk:
                return made


def _ends_lines_with_returns(path: Path, encoding: str) -> bool:
    """Whether lines end in a carriage return alone, as in classic Mac OS."""
    with path.open("rb") as file:
        start = file.read(SAMPLE)
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(start)
    feeds = text.count("\n")
    return text[:-1].count("\r") > 2 * feeds  # CRLF has one of each
