"""The query of some rows of a tensor."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from service.api.errors import InvalidFields
from service.workflow.errors import Fault

_ROWS = re.compile(r"([0-9]{1,18}):([0-9]{1,18})")


class RowRange(NamedTuple):
    """Rows of a tensor, from `first` up to `last`, which is excluded."""

    tensor: str
    first: int
    last: int


def row_range(names: Sequence[str], rows: str) -> RowRange:
    """The rows that `?name=0.weight&rows=0:10` asks for.

    Raises:
        InvalidFields: `rows` is no range, or there is not one name.
    """
    if len(names) != 1:
        raise InvalidFields(
            Fault("/query/name", f"expected the name of one tensor beside `rows`, not {len(names)} names")
        )
    match = _ROWS.fullmatch(rows)
    if match is None:
        message = "expected the first row and the one after the last, as two whole numbers: `0:10`"
        raise InvalidFields(Fault("/query/rows", message))
    return RowRange(names[0], int(match[1]), int(match[2]))
