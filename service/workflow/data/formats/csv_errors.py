"""The errors of Python's CSV reader, in words for the author of the file."""

import csv


def describe(error: csv.Error) -> str:
    """What is wrong, and what would be right."""
    message = str(error)
    if "field limit" in message:
        return f"a cell has more than {csv.field_size_limit()} characters, the most that is taken"
    if "new-line" in message:
        return "a carriage return stands in a cell without quotes; quote that cell"
    if "unexpected end" in message:
        return "a quoted cell does not end"
    if "expected after" in message:
        return "a quote stands inside of a quoted cell; write it twice"
    return "it is not as RFC 4180 has it: cells with a separator between them, quoted where they hold one"
