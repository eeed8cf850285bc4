"""Operations on resumable uploads."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from model_store.errors import StoreError
from service.use_cases.uploads import KEPT_FOR, UploadError, UploadNotFound, Uploads
from tests.faults.crash_points.operation import Kind, Operation

CONTENT = bytes(range(250)) * 12
FIRST = 1000


def uploads_of(home: Path) -> Any:
    """Each upload's length, and how much of it is there."""
    return [
        [Uploads(home, 10_000).get(None, upload).length, Uploads(home, 10_000).get(None, upload).offset]
        for upload in ids(home)
    ]


def ids(home: Path) -> list[str]:
    """The ids of the uploads that exist."""
    found = []
    for path in sorted(home.iterdir()) if home.exists() else []:
        try:
            found.append(Uploads(home, 10_000).get(None, path.name).id)
        except UploadNotFound:
            continue
    return found


def faulty_uploads(home: Path) -> list[str]:
    """Uploads whose content is not what was sent; leftovers that the housekeeping does not remove."""
    wrong = [
        f"{each} has other bytes" for each in ids(home) if not CONTENT.startswith((home / each / "data").read_bytes())
    ]
    later = max((path.stat().st_mtime for path in home.rglob("*")), default=0.0) + KEPT_FOR + 1
    kept = {each: (home / each / "data").read_bytes() for each in ids(home)}
    if not kept and home.exists():
        Uploads(home, 10_000, lambda: later).sweep()
        wrong += [f"left: {path.name}" for path in home.iterdir() if path.is_dir()]
    return wrong


def prepare_uploads(home: Path) -> None:
    """An upload whose beginning has arrived."""
    kept = Uploads(home, 10_000)
    upload = kept.create(None, len(CONTENT)).id
    with closing(kept.writer(None, upload, 0)) as writer:
        writer.write(CONTENT[:FIRST])
        writer.flush()


def prepare_nothing(home: Path) -> None:
    """An empty folder."""
    home.mkdir()


def begin(home: Path) -> Iterator[None]:
    """Begins an upload."""
    kept = Uploads(home, 10_000)
    yield
    kept.create(None, len(CONTENT))


def go_on(home: Path) -> Iterator[None]:
    """Sends the rest, in two pieces, from the offset that the upload has."""
    kept, (upload,) = Uploads(home, 10_000), ids(home)
    yield
    with closing(kept.writer(None, upload, kept.get(None, upload).offset)) as writer:
        while rest := CONTENT[writer.offset :][:1000]:
            writer.write(rest)
        writer.flush()


def remove(home: Path) -> Iterator[None]:
    """Deletes an upload."""
    kept, found = Uploads(home, 10_000), ids(home)
    yield
    kept.remove(None, found[0] if found else "0" * 32)


UPLOADS = Kind(uploads_of, faulty_uploads, (UploadError, StoreError))
ALL = [
    Operation("begin an upload", UPLOADS, begin, prepare_nothing, repeats=False),
    Operation("continue an upload", UPLOADS, go_on, prepare_uploads, steps=True),
    Operation("delete an upload", UPLOADS, remove, prepare_uploads, ended=(UploadNotFound,)),
]
