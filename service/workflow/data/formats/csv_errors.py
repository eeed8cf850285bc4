"""The errors of Python's CSV reader, as messages for the author of the file."""

import csv


def describe(error: csv.Error) -> str:
    """What is wrong, and what is expected."""
    message = str(error)
    if "field limit" in message:
        return f"a cell has more than {csv.field_size_limit()} characters, the most that is taken"
    if "new-line" in message:
        return "a carriage return in a cell without quotes; quote that cell"
    if "unexpected end" in message:
        return "a quoted cell does not end"
    if "expected after" in message:
        return "a quote inside a quoted cell; write it twice"
    return "it does not follow RFC 4180: cells with a separator between them, quoted where they contain one"
