"""A private PostgreSQL server: a folder with a Unix socket, and nothing outside it. It ends with this process."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from service.jobs.database import open_database

START_SECONDS = 180.0
STOP_SECONDS = 90.0
# Its input ends when this process ends, however that happens: it then stops the server and removes the folder.
GUARD = """
folder=$1; shift
"$@" </dev/null >"$folder/log" 2>&1 &
read -r _
kill -QUIT $!
wait $!
rm -rf "$folder"
"""
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # tests need not survive a power failure
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "16MB",
    "max_connections": "100",
}


class NoPostgres(Exception):
    """No server can be started; the message says why."""


class Postgres:
    """A running server; a context manager stops it.

    Raises:
        NoPostgres: PostgreSQL is not installed, or cannot be started by this user.
    """

    def __init__(self) -> None:
        binaries = _binaries()
        self._numbers = count(1)
        self._template = ""
        # Not in pytest's folder: another user could not enter it, and the path of a socket has at most 107 bytes.
        folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
        try:
            user = _user()
            if user is not None:
                os.chown(folder, user.pw_uid, user.pw_gid)
            self.socket, data = folder, folder / "data"
            run_as: dict[str, Any] = (
                {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            )
            make: list[str | Path] = [
                binaries / "initdb",
                "--no-sync",
                "--no-locale",
                "--encoding=UTF8",
                "--username=test",
                data,
            ]
            made = subprocess.run(make, cwd=folder, capture_output=True, text=True, **run_as)  # noqa: S603 - found by us
            if made.returncode:
                raise AssertionError(f"initdb: {made.stderr}")
            serve: list[str | Path] = [binaries / "postgres", "-D", data, "-k", folder]
            serve += [f"--{name}={value}" for name, value in SETTINGS.items()]
            guard: list[str | Path] = ["sh", "-c", GUARD, "guard", folder, *serve]
            # A session of its own: Ctrl-C must reach only pytest, which then closes the guard's input.
            self._guard = subprocess.Popen(  # noqa: S603 - as above
                guard, cwd=folder, stdin=subprocess.PIPE, start_new_session=True, **run_as
            )
        except BaseException:
            shutil.rmtree(folder)
            raise
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def url(self, name: str) -> str:
        """The URL of a database."""
        return f"postgresql://test@/{name}?host={self.socket}"

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a new database: with the journal's tables, copied from a template, or empty."""
        if migrated and not self._template:
            template = f"template{next(self._numbers)}_journal"
            self._execute(SQL("CREATE DATABASE {}").format(Identifier(template)))
            open_database(self.url(template)).dispose()
            self._template = template
        name = Identifier(named := f"test{next(self._numbers)}")
        template_name = Identifier(self._template if migrated else "template0")
        self._execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(name, template_name))
        try:
            yield self.url(named)
        finally:
            self._execute(SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(STOP_SECONDS)

    def _execute(self, statement: Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"PostgreSQL did not start:\n{(self.socket / 'log').read_text()}") from error
                time.sleep(0.02)


def _binaries() -> Path:
    """The folder with the programs of the newest server version."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    on_path = [Path(found).parent for name in ("initdb", "postgres") if (found := shutil.which(name))]
    for folder in [*on_path, *debian]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoPostgres("PostgreSQL is not installed: no initdb and postgres on PATH or under /usr/lib/postgresql")


def _user() -> pwd.struct_passwd | None:
    """The user to run the server if this process is root, which the server refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
