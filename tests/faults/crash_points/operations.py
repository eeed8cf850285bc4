"""All operations, by name."""

from tests.faults.crash_points import (
    backup_operations,
    home_operations,
    journal_operations,
    store_operations,
    upload_operations,
)
from tests.faults.crash_points.operation import Operation

ALL: list[Operation] = [
    *store_operations.ALL,
    *journal_operations.ALL,
    *home_operations.ALL,
    *backup_operations.ALL,
    *upload_operations.ALL,
]
OPERATIONS = {operation.name: operation for operation in ALL}
