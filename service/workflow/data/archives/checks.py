"""Checks that files are what they are said to be: images or videos that can be decoded."""

import io
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from service.workflow.data import images, videos
from service.workflow.data.image_headers import BadImage
from service.workflow.data.picture_survey import PictureSurvey
from service.workflow.data.schema import Column, Misfit
from service.workflow.data.table import Files, Numbers
from service.workflow.data.types.names import TypeName
from service.workflow.data.types.registry import COLUMN_TYPES
from service.workflow.data.videos import NoVideoDecoder
from service.workflow.errors import BrokenFiles, Fault, InvalidData, step
from service.workflow.spec_base import shown

T = TypeVar("T")
R = TypeVar("R")

IMAGE, VIDEO = "image", "video"
MOST_BROKEN = 0.01  # the share of files that is left out without asking
MOST_NAMED = 20  # broken files in a message
MOST_LEFT_OUT = 10_000  # rows, whose positions are in the schema
AT_ONCE = 64  # files that wait for a thread: their bytes are not in memory yet
THREADS = 2
LONGEST_SIDE, QUALITY = 96, 75  # of a thumbnail
MOST_THUMBNAILS = 64


@dataclass(frozen=True)
class FileFacts:
    """A file's format, its width and height in pixels, channels (1 if it is grey, else 3), frames, and bytes."""

    format: str
    width: int
    height: int
    channels: int
    frames: int
    size: int


@dataclass(frozen=True)
class Broken:
    """A row whose file cannot be read, with the file's name and the reason, of which the file is the subject."""

    row: int
    name: str
    reason: str


@dataclass(frozen=True)
class Checked:
    """What was found of each row's file: None for one that is missing or broken."""

    facts: list[FileFacts | None]
    broken: list[Broken]


def check(kind: str, content: bytes) -> FileFacts:
    """Decodes a file.

    Args:
        kind: `IMAGE` or `VIDEO`.

    Raises:
        BadImage: it cannot be read.
        InvalidData: what decodes it is not installed.
    """
    if not content:
        raise BadImage("it has no bytes")
    try:
        found = images.check_image(content) if kind == IMAGE else videos.check_video(content)
    except NoVideoDecoder as error:
        raise InvalidData(f"the videos cannot be read: {error}") from None
    return FileFacts(found.format, found.width, found.height, found.channels, found.frames, len(content))


def check_files(files: Files, kind: str, checksums: Numbers | None = None) -> Checked:
    """Decodes the file of each row, in threads: the decoders let go of the interpreter.

    Args:
        checksums: the CRC-32 of each file, uint32 [n].
    """

    def checked(row: int) -> FileFacts | Broken | None:
        try:
            content = _read(files, row, kind)
            if content is None:
                return None
            if checksums is not None and zlib.crc32(content) != checksums[row]:
                raise BadImage("its checksum is wrong")
            return check(kind, content)
        except BadImage as error:
            return Broken(row, files.names[row], str(error))

    found = in_threads(checked, range(len(files)))
    broken = [each for each in found if isinstance(each, Broken)]
    return Checked([each if isinstance(each, FileFacts) else None for each in found], broken)


def in_threads(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """The results in the order of the items, of which few are in memory at a time."""
    found: list[R] = []
    with ThreadPoolExecutor(THREADS) as threads:
        for start in range(0, len(items), AT_ONCE):
            found += threads.map(work, items[start : start + AT_ONCE])
    return found


def _read(files: Files, row: int, kind: str) -> bytes | None:
    most = images.MOST_BYTES if kind == IMAGE else videos.MOST_BYTES
    if files.unpacked[row] > most:
        raise BadImage(f"it has more than {most:,} bytes, and no more are read")
    try:
        return files.read(row)
    except zlib.error:
        raise BadImage("its compressed bytes are damaged, or their size is another than the archive says") from None


def left_out(broken: Sequence[Broken], rows: int, *, skip: bool) -> tuple[list[int], list[str]]:
    """The positions of the rows that are left out, and the notes that say so.

    Args:
        rows: how many rows have a file, the broken ones included.
        skip: whether any number may be left out.

    Raises:
        BrokenFiles: more are broken than are left out.
    """
    if not broken:
        return [], []
    what = f"{len(broken)} of {rows} files {'is' if len(broken) == 1 else 'are'} broken"
    named = "; ".join(f"{shown(each.name)}: {each.reason}" for each in broken[:MOST_NAMED])
    named += f"; and {len(broken) - MOST_NAMED} more" if len(broken) > MOST_NAMED else ""
    refusal = None
    if len(broken) == rows:
        refusal = "no file can be read"
    elif len(broken) > MOST_LEFT_OUT:
        refusal = f"{what}, and at most {MOST_LEFT_OUT} are left out"
    elif len(broken) > MOST_BROKEN * rows and not skip:
        refusal = f"{what}, and at most 1 % are left out unless skip_broken=true"
    if refusal is not None:
        faults = [Fault(step(each.name), each.reason) for each in broken[:MOST_NAMED]]
        raise BrokenFiles(f"{refusal}: {named}", faults)
    return [each.row for each in broken], [f"{what} and left out: {named}"]


def file_column(
    name: str, kind: str, names: Sequence[str], facts: Sequence[FileFacts | None], thumbnails: Sequence[int]
) -> Column:
    """The column of the schema with each row's file, without the rows that are left out."""
    known = [each for each in facts if each is not None]
    missing = len(facts) - len(known)
    survey = PictureSurvey()
    for each in known:
        survey.add(each)
    found = survey.statistics()
    about: dict[str, Any] = {"files": len(known), "bytes": sum(each.size for each in known), **found}
    about["formats"] = {name.lower(): count for name, count in found.get("formats", {}).items()}
    about["channels"] = 1 if known and found["grey"] == len(known) else 3
    if kind == IMAGE:
        about.pop("frames", None)
    about["thumbnails"] = [*thumbnails]
    return Column(
        name=name,
        type=kind,
        missing=missing,
        first_missing=next((row for row, each in enumerate(facts) if each is None), None),
        statistics=about,
        plain=False,
        misfits=no_other(kind),
        reason=f"{len(known)} files are {kind}s",
        examples=[each[:60] for each in names[:3]],
    )


def no_other(kind: str) -> dict[TypeName, Misfit]:
    """For a column of files or tensors: it can be read as no type but its own."""
    return {name: Misfit(row=0, cell="") for name in COLUMN_TYPES if name != kind}


def shown_file(row: int, name: str, facts: FileFacts | None) -> dict[str, Any] | None:
    """A row's file as clients see it."""
    if facts is None:
        return None
    about = {"width": facts.width, "height": facts.height, "format": facts.format.lower(), "bytes": facts.size}
    return {"file": name, "item": row, **about} | ({"frames": facts.frames} if facts.frames > 1 else {})


def spread_over(labels: Sequence[str] | None, rows: Iterable[int]) -> list[int]:
    """At most `MOST_THUMBNAILS` of the rows in order, as many of each label as of any other where there are enough."""
    by_label: dict[str, list[int]] = {}
    for row in rows:
        by_label.setdefault("" if labels is None else labels[row], []).append(row)
    chosen: list[int] = []
    for turn in range(MOST_THUMBNAILS):
        chosen += [found[turn] for found in by_label.values() if turn < len(found)]
        if len(chosen) >= MOST_THUMBNAILS:
            break
    return sorted(chosen[:MOST_THUMBNAILS])


def thumbnail(kind: str, content: bytes, facts: FileFacts) -> bytes:
    """A small picture of an image, or of a video's middle, as WebP.

    Raises:
        BadImage: it cannot be read.
    """
    from PIL import Image

    scale = min(1.0, LONGEST_SIDE / max(facts.width, facts.height))
    size = max(1, round(facts.height * scale)), max(1, round(facts.width * scale))
    array = images.decode_image(content, size) if kind == IMAGE else videos.decode_video(content, 1, size)[0]
    made = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array.transpose(1, 2, 0))).save(made, "WEBP", quality=QUALITY)
    return made.getvalue()


def thumbnails(files: Files, kind: str, facts: Sequence[FileFacts | None], rows: Sequence[int]) -> dict[int, bytes]:
    """Small pictures of some rows, which are not missing."""
    made = in_threads(lambda row: thumbnail(kind, files.read(row) or b"", facts[row]), rows)  # type: ignore[arg-type]
    return dict(zip(rows, made, strict=True))
