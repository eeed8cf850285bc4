"""`python -m service.workflow.data.survey HEARTBEATS FILE MEDIA_TYPE MOST_BYTES < OPTIONS`: detects how an uploaded file is
read, surveys its columns, and prints the result as one line of JSON.

It is a process of its own, so that a malicious file cannot crash the server, and the server does not import polars. The file is
read twice: for the types of its columns, and then as a training will read it, for their statistics.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from service.liveness import beat, die_with
from service.workflow.data.archives.cells import file_columns
from service.workflow.data.archives.cells_survey import survey_cells
from service.workflow.data.archives.layout import is_archive_of_files
from service.workflow.data.archives.survey import survey_files
from service.workflow.data.arrays.array_file import is_archive_of_arrays, is_array
from service.workflow.data.arrays.survey import survey_arrays
from service.workflow.data.formats import NAMES, NPY, NPZ, open_table
from service.workflow.data.formats.columnar import ColumnarFile
from service.workflow.data.formats.compression import members_of
from service.workflow.data.native_errors import native_errors
from service.workflow.data.reading import ReadingOptions
from service.workflow.data.sniff import sniff
from service.workflow.data.survey_limits import limit_this_process
from service.workflow.data.table_survey import Survey, survey_table
from service.workflow.errors import BrokenFiles, InvalidData

MOST_NOTES = 100
MOST_BYTES = 2**40


def survey(path: Path, media_type: str, options: ReadingOptions | None = None, most_bytes: int = MOST_BYTES) -> Survey:
    """Surveys a file.

    Raises:
        InvalidData: it cannot be read, or holds no table; the line or column is named where it is known.
    """
    options = options or ReadingOptions()
    with TemporaryDirectory(dir=path.parent) as folder:
        scratch = Path(folder)
        members = members_of(path)
        if media_type in (NPZ, NPY) or is_array(path) or is_archive_of_arrays(members):
            alone = is_array(path) or (media_type == NPY and not members)
            found = survey_arrays(path, NPY if alone else NPZ, options, scratch, most_bytes)
        elif is_archive_of_files(members):
            found = survey_files(path, options, scratch, most_bytes)
        else:
            found = _table_file(path, media_type, options, scratch, most_bytes)
    if len(found.notes) > MOST_NOTES:
        return replace(found, notes=[*found.notes[:MOST_NOTES], f"and {len(found.notes) - MOST_NOTES} more"])
    return found


def _table_file(path: Path, media_type: str, options: ReadingOptions, scratch: Path, most_bytes: int) -> Survey:
    (scratch / "sniffed").mkdir()
    with native_errors("a table"):
        found = sniff(path, media_type, options, scratch / "sniffed", most_bytes)
    kind, reading = found.media_type, found.reading
    with native_errors(NAMES[kind]), open_table(path, kind, reading, scratch) as table:
        if isinstance(table, ColumnarFile) and (pictures := file_columns(table)):
            return survey_cells(table, pictures, found, options, scratch)
        return survey_table(table, kind, reading, options, found.notes)


def main(heartbeats: str, path: str, media_type: str, most_bytes: str) -> None:
    """Prints `{media_type, schema, notes, head}` or `{error}`, with the first `faults` of broken files."""
    die_with(os.getppid())
    limit_this_process(Path(path))
    beat(int(heartbeats))
    try:
        options = ReadingOptions.model_validate_json(sys.stdin.buffer.read())
        found = survey(Path(path), media_type, options, int(most_bytes))
    except InvalidData as error:
        answer: dict[str, object] = {"error": str(error)}
        if isinstance(error, BrokenFiles):
            answer["faults"] = [[each.pointer, each.message] for each in error.faults]
    else:
        # Versions of earlier releases lack these fields, and are compared with later ones.
        without = {name for name in ("target", "archive", "left_out") if not getattr(found.schema, name)}
        schema = found.schema.model_dump(mode="json", exclude=without)
        answer = {"media_type": found.media_type, "schema": schema, "notes": found.notes, "head": found.head}
    sys.stdout.buffer.write(orjson.dumps(answer, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:5])
