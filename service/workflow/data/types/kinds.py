"""The types that columns can have, in the order in which they are tried on a column of texts."""

from service.workflow.data.types.boolean import Boolean
from service.workflow.data.types.category import Category
from service.workflow.data.types.column_kind import ColumnKind
from service.workflow.data.types.datetime import Datetime
from service.workflow.data.types.names import ColumnType
from service.workflow.data.types.number import Number

KINDS: dict[ColumnType, ColumnKind] = {kind.name: kind for kind in (Datetime(), Number(), Boolean(), Category())}
