"""`python -m service.workflow.data.survey FILE`: reads an uploaded file and prints what is in it as one line of JSON.

A process of its own, so that a file made to break a parser breaks no server, and the server never imports polars.
"""

import sys
from pathlib import Path

import orjson

from service.workflow.data import csv_file
from service.workflow.errors import InvalidData


def main(path: str) -> None:
    """Prints `{schema, head}` or `{error}`."""
    try:
        schema, head = csv_file.survey(Path(path))
    except InvalidData as error:
        answer: dict[str, object] = {"error": str(error)}
    else:
        answer = {"schema": schema.model_dump(), "head": head}
    sys.stdout.buffer.write(orjson.dumps(answer, default=str))


if __name__ == "__main__":
    main(sys.argv[1])
