"""Which files of an archive are the rows of a table: those in folders, or those that a table names. By their names alone, so that
a training finds the same rows as the upload did."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from service.workflow.data.archives.directory import Directory
from service.workflow.data.formats import CSV, JSON_LINES, PARQUET
from service.workflow.errors import InvalidData
from service.workflow.spec_base import shown

IMAGES = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".apng"))
VIDEOS = frozenset((".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ogv"))
# Of pictures that are not read here: they are rows, so that their owner hears of them.
OTHERS = frozenset(
    (".svg", ".svgz", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".ico", ".psd", ".tga", ".ppm", ".bmp")
)
MEDIA = IMAGES | VIDEOS | OTHERS
TABLES = {"metadata.csv": CSV, "metadata.jsonl": JSON_LINES, "metadata.parquet": PARQUET}
FILE_NAME = "file_name"  # the column of the table that names the files
LABEL = "label"
_JUNK = frozenset((".ds_store", "thumbs.db", "desktop.ini"))
_BESIDE = "__MACOSX"


@dataclass(frozen=True)
class Layout:
    """The files of an archive: positions in its directory. `top` is the folder that all of them are in, with its slash, or empty;
    `table` is the position of the table beside the files, if there is one; `media` are images and videos, by their suffixes."""

    directory: Directory
    top: str
    table: int | None
    media: list[int]
    notes: list[str]

    def name(self, position: int) -> str:
        """A file's name, without the folder that all are in."""
        return self.directory.names[position].removeprefix(self.top)

    @property
    def table_type(self) -> str | None:
        """The media type of the table."""
        return None if self.table is None else TABLES[self.name(self.table).lower()]

    def labels(self, positions: Sequence[int]) -> list[str] | None:
        """The names of the folders that files are in; None if one of them is in none."""
        folders = [PurePosixPath(self.name(each)).parent.name for each in positions]
        return folders if all(folders) else None


def is_archive_of_files(names: Sequence[str]) -> bool:
    """Whether a zip file with these names is an archive of files, and no table that was compressed."""
    kept = [name for name in names if not _is_junk(name)]
    media = any(PurePosixPath(name.lower()).suffix in MEDIA for name in kept)
    return media or (len(kept) > 1 and any(PurePosixPath(name.lower()).name in TABLES for name in kept))


def layout_of(directory: Directory) -> Layout:
    """The layout of an archive.

    Raises:
        InvalidData: it has several tables, or no images and no videos.
    """
    names = directory.names
    kept = [at for at, name in enumerate(names) if not _is_junk(name)]
    top = _top([names[at] for at in kept])
    tables = [at for at in kept if PurePosixPath(names[at].lower()).name in TABLES]
    _check_tables([names[at].removeprefix(top) for at in tables])
    media = [at for at in kept if PurePosixPath(names[at].lower()).suffix in MEDIA]
    if not media:
        raise InvalidData("the zip file has no images and no videos")
    notes, table = [], tables[0] if tables else None
    if len(kept) < len(names):
        notes.append(f"files that a file manager has added are left out: {len(names) - len(kept)}")
    if table is None:
        ignored = [names[at] for at in set(kept) - set(media)]
        if ignored:
            what = f"files that are no images and no videos are left out: {len(ignored)}"
            notes.append(f"{what}, such as {shown(min(ignored))}")
        notes += _about_folders(directory, top, [names[at] for at in media])
    return Layout(directory, top, table, media, notes)


def _is_junk(name: str) -> bool:
    """Whether a file manager has added this file, or it is hidden."""
    first, last = name.split("/", 1)[0], name.rsplit("/", 1)[-1]
    return first == _BESIDE or last.startswith(".") or last.lower() in _JUNK


def _top(names: Sequence[str]) -> str:
    """The folder that all files are in, with its slash; empty if there is none, or if it is a class rather."""
    firsts = {name.split("/", 1)[0] for name in names}
    if len(firsts) != 1 or not all("/" in name for name in names):
        return ""
    top = f"{firsts.pop()}/"
    below = [name.removeprefix(top) for name in names]
    return top if any("/" in name or name.lower() in TABLES for name in below) else ""


def _check_tables(names: Sequence[str]) -> None:
    if len(names) > 1:
        message = f"the zip file has {len(names)} tables, such as {shown(names[0])} and {shown(names[1])}"
        raise InvalidData(f"{message}; one is expected, beside the folders of the files that it names")
    if names and "/" in names[0]:
        message = f"the zip file has the table {shown(names[0])} in a folder"
        raise InvalidData(f"{message}; it is expected at the top, with names of files such as `train/1.jpg`")


def _about_folders(directory: Directory, top: str, media: Sequence[str]) -> list[str]:
    """Notes on folders without files, and on folders in folders."""
    used = {parent.as_posix() for name in media for parent in PurePosixPath(name).parents}
    folders = {name.removesuffix("/") for name in directory.folders if not _is_junk(name.removesuffix("/"))}
    empty = sorted(folders - used - {top.removesuffix("/")})
    notes = [f"the folder {shown(name)} has no files, and is no class" for name in empty[:20]]
    depths = Counter(name.removeprefix(top).count("/") for name in media)
    if max(depths) > 1:
        notes.append("folders are in folders: the label is the name of the folder that a file is in itself")
    return notes
