"""The rules for names, one for each kind."""

import re
from collections.abc import Iterable

from model_store.errors import InvalidName

NAME_RULE = (
    "1 to 64 of a-z, 0-9, '.', '_' and '-', the first and the last a letter or digit, "
    "without '..', and no Windows device name (con, prn, aux, nul, com1-9, lpt1-9, also with an extension)"
)
ALIAS_RULE = "1 to 63 of a-z, 0-9, '_' and '-', the first a letter, and not 'latest'"
FILE_RULE = (
    "at most 200 characters, at most one '/', "
    "each part of A-Z, a-z, 0-9, '.', '_' and '-' beginning with a letter or digit"
)
MAX_FILES = 9_999

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:\..*)?")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)?")


def check_name(name: str) -> None:
    """Raise InvalidName unless `name` may name a model or a data set."""
    if not is_name(name):
        raise InvalidName("name", NAME_RULE, name)


def is_name(name: str) -> bool:
    """Whether `name` may name a model or a data set."""
    return _NAME.fullmatch(name) is not None and ".." not in name and not _DEVICE.fullmatch(name)


def check_alias(alias: str) -> None:
    """Raise InvalidName unless `alias` may name an alias."""
    if not is_alias(alias):
        raise InvalidName("alias", ALIAS_RULE, alias)


def is_alias(alias: str) -> bool:
    """Whether `alias` may name an alias."""
    return _ALIAS.fullmatch(alias) is not None and alias != "latest"


def check_file_names(files: Iterable[str]) -> None:
    """Raise InvalidName unless a version may hold files of all these names together."""
    seen: set[str] = set()
    folders: set[str] = set()
    for file in files:
        if len(file) > 200 or not _FILE.fullmatch(file):
            raise InvalidName("file name", FILE_RULE, file)
        folded = file.casefold()
        if folded in seen:
            raise InvalidName("file name", "no two names may be equal, or differ in case alone", file)
        seen.add(folded)
        if "/" in folded:
            folders.add(folded.split("/")[0])
        if len(seen) > MAX_FILES:
            raise InvalidName("file name", f"a version holds at most {MAX_FILES} files", file)
    for folder in folders & seen:
        raise InvalidName("file name", "a name may not be a file and a folder at once", folder)
