"""The interface to the storage."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path


class Backend(ABC):
    """Bytes under keys, with put-if-absent as the one primitive that everything else builds on.

    Keys are `/`-separated and made by the store alone, never by a user. A key is either content or a prefix of other keys,
    never both. Writes are durable on return. Any method may raise Unavailable, and any that writes NoSpace.
    """

    @abstractmethod
    def read(self, key: str) -> bytes:
        """The content of `key`. Raises ObjectNotFound."""

    @abstractmethod
    def read_range(self, key: str, start: int, stop: int) -> bytes:
        """The bytes of `key` from `start` up to `stop`, which is excluded: fewer, or none, where its content ends before.

        `0 <= start < stop`. Only these bytes are read, and in a remote backend fetched. Raises ObjectNotFound.
        """

    @abstractmethod
    def create(self, key: str, data: bytes) -> None:
        """Put `data` at `key` if nothing is there: atomic, durable on return. Raises ObjectExists."""

    @abstractmethod
    def replace(self, key: str, data: bytes) -> None:
        """Put `data` at `key`, whatever is there: atomic, durable on return."""

    @abstractmethod
    def create_file(self, key: str, source: Path) -> None:
        """Move the local regular file `source` to `key` if nothing is there: atomic, durable on return.

        Raises ObjectExists; `source` is then left where it is.
        """

    @abstractmethod
    def names(self, prefix: str) -> list[str]:
        """The sorted names directly under `prefix`; [] when there are none. An emptied prefix may still be named."""

    @abstractmethod
    def delete(self, prefix: str) -> None:
        """Remove the key `prefix` and all below it; nothing happens when nothing is there."""

    @abstractmethod
    def local_file(self, key: str, *, fresh: bool = False) -> AbstractContextManager[Path]:
        """A local file with the content of `key`, to read or map inside the `with` block, not to write. Raises ObjectNotFound.

        A remote backend fetches it into a bounded cache (`FileCache`); `fresh` fetches it again, in case the copy is damaged.
        """

    @abstractmethod
    def clear_temporary(self, older_than_seconds: float) -> None:
        """Remove what crashed writers left behind, once it is older than that."""
