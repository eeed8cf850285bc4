"""The options of how a file is read, from a query, the fields of a form, or a JSON document."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from pydantic import ValidationError

from service.api.errors import InvalidFields
from service.strict_json import NotStrictJson, TooManyBrackets, decode_body
from service.workflow.data.reading import ReadingOptions
from service.workflow.errors import Fault, step
from service.workflow.spec_base import MOST_FAULTS, FaultBudget, faults, shown

TRUTH = {"true": True, "false": False}
TAB = {"\\t": "\t", "tab": "\t"}  # a tab is hard to type
BY_COLUMN = {"types": '{"zip": "category"}', "date_formats": '{"born": "%d.%m.%Y"}'}
CHANGED = ("reading", "types")
CHANGE = '{"reading": {"separator": ";"}, "types": {"zip": "category"}}'


def options_of(fields: Sequence[tuple[str, str]], charset: str = "") -> ReadingOptions:
    """The options in the fields of a query or form, pairs of name and text. The charset of a Content-Type is the default of the
    encoding.

    Raises:
        InvalidFields: a field is unknown, duplicate or not valid.
    """
    texts: dict[str, list[str]] = {}
    for name, text in fields:
        texts.setdefault(name, []).append(text)
    values: dict[str, Any] = {"encoding": charset} if charset else {}
    found: list[Fault] = []
    for name, given in texts.items():
        try:
            values[name] = _value(name, given)
        except ValueError as error:
            found.append(Fault(step(name), str(error)))
    return _validated(values, found)


def changes_of(document: Any) -> dict[str, Any]:
    """The fields of `ReadingOptions` that a JSON document changes; null resets a field, or a column in it.

    Raises:
        InvalidFields: it is not of the form `{"reading": {…}, "types": {…}}`, or a value is not valid.
    """
    if not isinstance(document, dict):
        raise InvalidFields(Fault("", f"expected a JSON object such as {CHANGE}"))
    unknown, budget = (name for name in document if name not in CHANGED), FaultBudget()
    found = [
        Fault(step(name), f"unknown field {shown(name)}{budget.nearest(name, CHANGED)}")
        for name in islice(unknown, MOST_FAULTS)
    ]
    reading, types = document.get("reading", {}), document.get("types", {})
    if not isinstance(reading, dict):
        found.append(Fault("/reading", f"expected a JSON object, as in {CHANGE}"))
    elif "types" in reading:
        found.append(Fault("/reading/types", f"the types of columns are a field beside `reading`: {CHANGE}"))
    if found:
        raise InvalidFields(*found)
    changes: dict[str, Any] = reading | ({"types": types} if "types" in document else {})
    try:
        _validated(_without_nulls(changes), [])
    except InvalidFields as error:
        raise InvalidFields(*(Fault(_beside(each.pointer), each.message) for each in error.faults)) from None
    return changes


def _beside(pointer: str) -> str:
    """The JSON pointer in the document of a field of `ReadingOptions`."""
    return pointer if pointer == "/types" or pointer.startswith("/types/") else f"/reading{pointer}"


def _without_nulls(changes: dict[str, Any]) -> dict[str, Any]:
    kept = {
        name: value for name, value in changes.items() if value is not None or name not in ReadingOptions.model_fields
    }
    for name in BY_COLUMN:
        if isinstance(value := kept.get(name), dict):
            kept[name] = {column: each for column, each in value.items() if each is not None}
    return kept


def _value(name: str, given: list[str]) -> Any:
    """The value of a field, from its texts.

    Raises:
        ValueError: it is not valid.
    """
    if name == "missing":
        return _words(given)
    if len(given) > 1:
        raise ValueError("is said twice; once is enough")
    text = given[0]
    if name == "separator":
        return TAB.get(text.lower(), text)
    if name == "skip_lines":
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise ValueError("expected a whole number of lines from 0 to 10000")
        return int(text)
    if name == "skip_broken":
        if text not in TRUTH:
            raise ValueError("expected true or false")
        return TRUTH[text]
    return _object(name, text) if name in BY_COLUMN else text


def _words(given: list[str]) -> list[str]:
    """The words of one comma-separated text, or of several texts with one word each."""
    texts = given[0].split(",") if len(given) == 1 else given
    return [text.strip() for text in texts if text.strip()]


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        value = decode_body(text.encode())
    except (NotStrictJson, TooManyBrackets):
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object by column, such as {BY_COLUMN[name]}")
    return value


def _validated(values: dict[str, Any], found: list[Fault]) -> ReadingOptions:
    try:
        options = ReadingOptions.model_validate(values, context=FaultBudget())
    except ValidationError as error:
        raise InvalidFields(*found, *faults(error, values)) from None
    if found:
        raise InvalidFields(*found)
    return options
