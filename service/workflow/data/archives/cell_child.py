"""`python -m service.workflow.data.archives.cell_child HEARTBEATS FILE MEDIA_TYPE COLUMN ROW < READING`: prints the media type of
the image in a cell of a stored table, a line break, and the image; nothing if the cell has none.

It is a process of its own, so that the server opens no file of a stranger.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from service.liveness import beat, die_with
from service.workflow.data.archives.cells import cell_of
from service.workflow.data.archives.item_index import MEDIA_TYPES
from service.workflow.data.formats import open_table
from service.workflow.data.formats.columnar import ColumnarFile
from service.workflow.data.image_headers import read_header
from service.workflow.data.reading import Reading
from service.workflow.data.survey_limits import limit_this_process


def main(heartbeats: str, path: str, media_type: str, column: str, row: str) -> None:
    """Prints the image of the row, counted from 0."""
    die_with(os.getppid())
    limit_this_process(Path(path))
    beat(int(heartbeats))
    reading = Reading.model_validate_json(sys.stdin.buffer.read())
    with TemporaryDirectory() as folder, open_table(Path(path), media_type, reading, Path(folder)) as table:
        assert isinstance(table, ColumnarFile)  # noqa: S101 - only such files have images
        content = cell_of(table, column, int(row))
    if content is not None:
        sys.stdout.buffer.write(f"{MEDIA_TYPES[read_header(content).format]}\n".encode() + content)


if __name__ == "__main__":
    main(*sys.argv[1:6])
