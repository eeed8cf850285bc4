"""How a file is read: the options of its owner, and the complete settings after detection."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from service.workflow.data.types.date_formats import check_format
from service.workflow.data.types.names import ListedName, TypeName
from service.workflow.spec_base import COUNTED, SpecBase

Separator = Annotated[str, Field(min_length=1, max_length=1)]
Word = Annotated[str, Field(max_length=256), COUNTED]
Compression = Literal["gzip", "zip"]

MISSING_WORDS = frozenset(
    {"NA", "N/A", "n/a", "na", "NULL", "Null", "null", "None", "none", "nan", "NaN", "NAN", "-nan", "#N/A", "#NA"}
    | {"<NA>", "NaT", "?", "-", "--", ".", "\\N", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!"}
)
INFINITE_WORDS = frozenset(
    sign + word for sign in ("", "+", "-") for word in ("inf", "Inf", "INF", "infinity", "Infinity", "INFINITY")
)


class ReadingOptions(SpecBase):
    """Options for reading a file. What is left out is detected."""

    separator: Separator | None = Field(default=None, description="the separator of the cells of a line")
    decimal: Literal[".", ","] | None = Field(default=None, description="the decimal separator of numbers")
    encoding: str | None = Field(default=None, max_length=40, description="of the text, as Python names it")
    missing: list[Word] | None = Field(
        default=None, max_length=100, description="the words, besides empty cells, for a missing value"
    )
    skip_lines: int | None = Field(default=None, ge=0, le=10_000, description="lines above the names of the columns")
    sheet: str | None = Field(default=None, max_length=256, description="of an Excel file; its first one if not given")
    date_formats: dict[ListedName, Annotated[str, COUNTED]] = Field(
        default={},
        max_length=1000,
        description='by column, as "%d.%m.%Y"; `seconds` and `milliseconds` count since 1970',
    )
    types: dict[ListedName, Annotated[TypeName, COUNTED]] = Field(
        default={}, max_length=10_000, description="of columns, by name"
    )
    skip_broken: bool = Field(
        default=False, description="whether any number of broken files is left out, not only 1 % of them"
    )

    @field_validator("separator")
    @classmethod
    def _separates(cls, value: str | None) -> str | None:
        if value is not None and (value in "\r\n\"'." or value.isalnum()):
            raise ValueError("expected one character such as , ; | or a tab, none that occurs in cells")
        return value

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        return None if value is None else known_encoding(value)

    @field_validator("date_formats")
    @classmethod
    def _are_formats(cls, value: dict[str, str]) -> dict[str, str]:
        for each in value.values():
            check_format(each)
        return value


class Reading(BaseModel):
    """How a file is read, completely: the same for each training and, for the texts of cells, for each prediction. `missing` are
    the words for a missing value, besides an empty cell."""

    model_config = ConfigDict(frozen=True)

    compression: Compression | None = None
    encoding: str = "utf-8"
    separator: str | None = None  # None where the format has none
    decimal: Literal[".", ","] = "."
    missing: tuple[str, ...] = ()
    skip_lines: int = 0
    sheet: str | None = None
    date_formats: dict[str, str] = {}
    well_formed: bool = False  # whether each line has as many cells as the first, so that it need not be checked again
    trim: bool = True  # spaces around names and cells are removed; not for files of older versions


_TEXT = "x,y\n1,2\n"
_NO_FILES = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")  # encodings of names and of source code
LEGACY_READING = Reading(separator=",", trim=False)  # of data sets uploaded by older versions


def known_encoding(name: str) -> str:
    """The usual name of an encoding.

    Raises:
        ValueError: Python has no such encoding of text.
    """
    import codecs

    try:
        found = codecs.lookup(name)
        text = codecs.getincrementaldecoder(name)().decode(_TEXT.encode(found.name), final=True)
        if text != _TEXT or found.name in _NO_FILES:
            raise LookupError
    except (LookupError, ValueError, TypeError):
        raise ValueError("expected an encoding such as utf-8, windows-1252, iso-8859-1 or utf-16") from None
    usual = {"cp1252": "windows-1252", "cp1250": "windows-1250", "cp1251": "windows-1251", "iso8859-1": "iso-8859-1"}
    return usual.get(found.name, found.name)
