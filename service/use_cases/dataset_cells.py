"""Single images in the cells of a stored table, each read by a process of its own."""

import asyncio
import logging
from contextlib import ExitStack
from pathlib import Path

from model_store import Store, Version
from service.use_cases.attempt_store import DATA
from service.use_cases.child_process import ChildFailed, run
from service.workflow.data.images import MOST_BYTES
from service.workflow.data.reading import Reading
from service.workflow.errors import NotAvailable

MOST_SECONDS = 30
MOST_AT_ONCE = 2
LINE = 100  # bytes before the image
log = logging.getLogger(__name__)


class Cells:
    """The processes that read cells, `MOST_AT_ONCE` at a time. It belongs to one event loop."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(MOST_AT_ONCE)

    async def read(self, store: Store, version: Version, row: int, column: str, temporary: Path) -> tuple[bytes, str]:
        """The image in a row of a column, and its media type.

        Raises:
            NotAvailable: the row has none, or it cannot be read.
            ChildFailed: the process hung.
            Corrupt, Unavailable: the store cannot be read.
        """
        schema = version.manifest["schema"]
        position = row
        for left_out in schema.get("left_out", ()):
            position += left_out <= position
        async with self._free:
            with ExitStack() as files:
                file = store.datasets.local_file(version, DATA)
                path = await asyncio.to_thread(files.enter_context, file)
                return await _read(path, version.manifest["media_type"], column, position, schema["reading"], temporary)


async def _read(
    path: Path, media_type: str, column: str, position: int, reading: dict[str, object], temporary: Path
) -> tuple[bytes, str]:
    try:
        ended = await run(
            "service.workflow.data.archives.cell_child",
            *(str(path), media_type, column, str(position)),
            stdin=Reading.model_validate(reading).model_dump_json().encode(),
            environment={"TMPDIR": str(temporary), "POLARS_MAX_THREADS": "2"},
            most_seconds=MOST_SECONDS,
            most_bytes=MOST_BYTES + LINE,
        )
    except TimeoutError:
        raise ChildFailed(ChildFailed.__doc__) from None
    if ended.status:
        log.warning("reading a cell failed: %s", ended.stderr.decode(errors="replace")[-2000:])
        raise NotAvailable("the image in this row cannot be read one by one: its rows are too large")
    if not ended.stdout:
        raise NotAvailable("this row has no image")
    kind, _, content = ended.stdout.partition(b"\n")
    return content, kind.decode()
