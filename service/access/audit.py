"""The audit log: each change with its time and key, and refused attempts at changes. Lines of JSON, append-only, one file a
day.

| question | answer |
|---|---|
| when is a line written | after the change, before its response is sent |
| when is it durable | before the response too, if something was changed; lines of refused attempts are not flushed |
| what if it cannot be written | the change and its response are kept; the line goes to the service's log, as an error |
| what is in it | JSON with a seal over the line and its day; a line that does not match its seal is shown as damaged |
| who writes | any process of the home: a line is one `write` at the end of the file |
| how many | all changes; of attempts without effect 60 a minute for each key, and the next line has the number of others |
| how long is it kept | `MODELWRIGHT_KEEP_AUDIT_DAYS`, by the housekeeping of any process |
"""

import errno
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from model_store.clock import Clock, rfc3339, utc_now
from model_store.durable_files import sync
from model_store.errors import MadeByNewer
from model_store.os_errors import storage_errors
from model_store.sealed import seal, unseal
from service.access.keys import ApiKey

COMMAND_LINE = "command line"
MINUTE = 60.0
MOST_A_MINUTE = 60
DAMAGED = "audit_damaged"
MOST_SAID = 200  # characters of the description of damage
AT_ONCE = 2**20  # bytes of a line that are read at most
ID = r"([0-9]{4}-[0-9]{2}-[0-9]{2}):([0-9]{1,18})"  # of a line: its day, and where in the day's file it ends
_ID = re.compile(ID)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """Something that was changed."""

    what: str
    on: str
    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        """As a line has it."""
        return {"what": self.what, "on": self.on, "from": self.before, "to": self.after}


_changes: ContextVar[list[Change] | None] = ContextVar("noted", default=None)


def collect_changes() -> list[Change]:
    """A new list, to which `record_change` appends in this context and its copies, those of threads included."""
    changes: list[Change] = []
    _changes.set(changes)
    return changes


def record_change(what: str, on: str, before: Any = None, after: Any = None) -> None:
    """Records a change by the request in whose context this is called; without one, nothing."""
    changes = _changes.get()
    if changes is not None:
        changes.append(Change(what, on, before, after))


class Audit:
    """The log of one home."""

    def __init__(self, folder: Path, now: Clock = utc_now) -> None:
        self._folder = folder
        self._now = now
        self._lock = threading.Lock()
        self._attempts: dict[
            str, tuple[float, int, int]
        ] = {}  # by key: start of a minute, lines in it, attempts without one
        self._writer = ThreadPoolExecutor(1, "audit")

    def append(self, who: ApiKey | str | None, changes: list[Change], **about: Any) -> None:
        """Writes a line. It does not raise: a line that cannot be written goes to the service's log.

        Args:
            who: the key; a name where no key is needed; None if a key was needed and none was sent.
            changes: what was changed; empty if it was refused.
            about: the other fields of the line.
        """
        if (line := self._line(who, changes, about)) is not None:
            self._write_line(line, durable=bool(changes))

    def append_later(self, who: ApiKey | str | None, **about: Any) -> None:
        """The same for a refused attempt: the line is written by another thread."""
        if (line := self._line(who, [], about)) is not None:
            self._writer.submit(self._write_line, line, durable=False)

    def append_command(
        self, what: str, on: str, before: Any = None, after: Any = None, *, who: str = COMMAND_LINE
    ) -> None:
        """Writes the line of a change by the command line, or by another that sends no request."""
        about = {"request_id": None, "method": None, "path": None, "client": None, "status": None}
        self.append(who, [Change(what, on, before, after)], **about)

    def close(self) -> None:
        """Waits until every line is written."""
        self._writer.shutdown()

    def read(self, after: str | None, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """Lines after that id, ascending, and whether there are more. An id is a day and the offset of the line's end.

        Raises:
            ValueError: the id is not valid.
        """
        found: list[dict[str, Any]] = []
        with storage_errors():
            for line in self._lines(after):
                if len(found) == limit:
                    return found, True
                found.append(line)
        return found, False

    def forget_old(self, days: float) -> None:
        """Removes the files of days that ended more than so many days ago."""
        oldest = self._file_of(self._now() - timedelta(days=days))
        for path in self._folder.glob("*.jsonl"):
            if path < oldest:
                path.unlink(missing_ok=True)

    def _file_of(self, moment: datetime) -> Path:
        return self._folder / f"{moment.astimezone(UTC):%Y-%m-%d}.jsonl"

    def _line(self, who: ApiKey | str | None, changes: list[Change], about: dict[str, Any]) -> dict[str, Any] | None:
        """The line; None if this key has had too many attempts in this minute."""
        name, key_id = (who.name, who.id) if isinstance(who, ApiKey) else (who, None)
        left_out = 0 if changes else self._count_attempt(key_id or name or "")
        if left_out is None:
            return None
        line = {"at": rfc3339(self._now()), "who": name, "key_id": key_id, **about}
        line["changes"] = [each.to_json() for each in changes]
        return line | {"left_out": left_out} if left_out else line

    def _count_attempt(self, who: str) -> int | None:
        """How many attempts by this key had no line since its last one; None if this one gets none either."""
        now = time.monotonic()
        with self._lock:
            began, lines, left_out = self._attempts.get(who, (now, 0, 0))
            if now - began >= MINUTE:
                began, lines = now, 0
            if lines >= MOST_A_MINUTE:
                self._attempts[who] = (began, lines, left_out + 1)
                return None
            self._attempts[who] = (began, lines + 1, 0)
            return left_out

    def _write_line(self, line: dict[str, Any], *, durable: bool) -> None:
        path = self._file_of(self._now())
        try:
            self._write(path, seal(_key(path), line), durable=durable)
        except OSError as error:
            log.error("the audit log could not be written (%s): %s", error.strerror, json.dumps(line))

    def _write(self, path: Path, line: bytes, *, durable: bool) -> None:
        # The newline before separates this line from one that a full disk has cut off.
        data = b"\n%s\n" % line
        new = not path.exists()
        if new:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            if os.write(descriptor, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if durable:
                os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        if new and durable:
            sync(self._folder)

    def _lines(self, after: str | None) -> Iterator[dict[str, Any]]:
        day, start = "", 0
        if after is not None:
            parts = _ID.fullmatch(after)
            if parts is None:
                raise ValueError(after)
            day, start = parts[1], int(parts[2])
        for path in sorted(self._folder.glob("*.jsonl")):
            if path.stem >= day:
                yield from _lines_of(path, start if path.stem == day else 0)


def _lines_of(path: Path, start: int) -> Iterator[dict[str, Any]]:
    """The complete lines of a file that begin at that offset or later."""
    with path.open("rb") as file:
        if start:
            file.seek(start - 1)
            file.readline()  # the rest of a line that began before `start`
        for text in iter(lambda: file.readline(AT_ONCE), b""):
            if not text.endswith(b"\n"):
                continue  # incomplete: still being written, or cut off
            if text.strip():
                yield {"id": f"{path.stem}:{file.tell()}", **_line_of(path, text)}


def _line_of(path: Path, text: bytes) -> dict[str, Any]:
    """The fields of a line; of a damaged one those that are known, and the error."""
    try:
        return unseal(_key(path), text)[0]
    except (ValueError, MadeByNewer) as error:
        damage = {"code": DAMAGED, "detail": f"this line of the audit log is damaged: {error}"[:MOST_SAID]}
    unknown = dict.fromkeys(("who", "key_id", "request_id", "method", "path", "client", "status"))
    return {"at": f"{path.stem}T00:00:00.000000Z", **unknown, "changes": [], "error": damage}


def _key(path: Path) -> str:
    """The key of the seals in this file: its day."""
    return f"audit/{path.stem}"
