"""What Python's reader of CSV stops at, in words for whoever wrote the file."""

import csv


def describe(error: csv.Error) -> str:
    """What is wrong, and what would be right."""
    said = str(error)
    if "field limit" in said:
        return f"a cell has more than {csv.field_size_limit()} characters, the most that is taken"
    if "new-line" in said:
        return "a carriage return stands in a cell without quotes; quote that cell"
    if "unexpected end" in said:
        return "a quoted cell does not end"
    if "expected after" in said:
        return "a quote stands inside of a quoted cell; write it twice"
    return "it is not as RFC 4180 has it: cells with a separator between them, quoted where they hold one"
