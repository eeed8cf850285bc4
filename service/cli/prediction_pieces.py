"""Predictions for rows that are sent piece by piece, all by the version that has answered the first piece."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.cli.rows_files import LINES, Rows

if TYPE_CHECKING:
    from modelwright import ApiError, Client
    from modelwright.steps import Steps

SECONDS = 600.0  # in which a piece must have been answered


@dataclass(frozen=True)
class Predictions:
    """The answer for some rows of a file, in the form that was asked for."""

    content: bytes
    rows: int
    model: str
    version: int


def predict_pieces(
    client: "Client", name: str, version: int | str | None, pieces: Iterator[Rows], media_type: str
) -> Iterator[Predictions]:
    """The predictions for each piece, in order.

    Args:
        client: of the service.
        name: of the model.
        version: a number, an alias, `latest`, or None for the version in use. What it names may move meanwhile; the pieces
            after the first go to the version of the first.
        pieces: of the rows.
        media_type: of the answers.

    Raises:
        ApiError: a piece was refused; its message counts rows from the beginning of the file, from 1.
        Unreachable, UnexpectedAnswer: as every call. What may pass (429, 503, a cut connection) is tried again first.
    """
    from modelwright import ApiError

    for piece in pieces:
        try:
            answered: Predictions = client.result_of(_ask(name, version, piece, media_type))
        except ApiError as error:
            raise _by_rows_of_file(error, piece) from error
        yield answered
        version = answered.version


def _ask(name: str, version: int | str | None, piece: Rows, media_type: str) -> "Steps[Predictions]":
    from modelwright import ApiError, UnexpectedAnswer, Unreachable
    from modelwright.calls import path, version_path
    from modelwright.steps import Call
    from modelwright.tries import Tries

    place = path("models", name, "predictions") if version is None else version_path(name, version, "predictions")
    headers = {"Content-Type": piece.media_type, "Accept": media_type}
    tries = Tries()
    while True:
        try:
            response = yield Call("POST", place, headers=headers, content=piece.body, timeout=SECONDS)
            break
        except (Unreachable, ApiError) as error:
            yield tries.failed(error)
    number = response.headers.get("Model-Version", "")
    if not (number.isascii() and number.isdecimal()):
        raise UnexpectedAnswer
    return Predictions(response.content, piece.count, name, int(number))


def _by_rows_of_file(error: "ApiError", piece: Rows) -> "ApiError":
    """The error with rows counted from the beginning of the file, from 1, in place of its pointers."""
    from modelwright import ApiError

    if not error.errors:
        return error
    faults = [{"pointer": _place(pointer, piece), "message": message} for pointer, message in error.errors]
    detail = f"There is an error in the rows {piece.first + 1} to {piece.first + piece.count} of the file."
    return ApiError(error.status, error.code, detail, faults, error.retry_after)


def _place(pointer: str, piece: Rows) -> str:
    """`/column/row`, or in JSON Lines `/row/column`, in words."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    row = parts[:1] if piece.media_type == LINES else parts[1:]
    if len(row) != 1 or not row[0].isdecimal():
        return pointer
    columns = parts[1:] if piece.media_type == LINES else parts[:1]
    return ", ".join([f"row {piece.first + int(row[0]) + 1}", *columns])
