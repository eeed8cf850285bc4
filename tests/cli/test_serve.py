"""A service that cannot open its journal, or would serve other machines without a key (P-11, P-13), does not start and prints
the reason in one line."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from tests.postgres import Postgres

ROOT = Path(__file__).parents[2]
TWO = ("--workers", "2")  # the supervisor checks the keys without loading torch


def refused(home: Path, url: str | None = None, *options: str, path: Path | None = None, key: str | None = None) -> str:
    """The one line that it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELWRIGHT_")}
    if url is not None:
        environment["MODELWRIGHT_DATABASE_URL"] = url
    if key is not None:
        environment["MODELWRIGHT_ADMIN_KEY"] = key
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    command = [sys.executable, "-m", "service", "serve", "--port", "0", "--home", str(home), *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)  # noqa: S603 - our own
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert "s3cret" not in done.stderr
    return done.stderr


def test_a_journal_of_a_newer_version(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'journal.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('9999')"))
    engine.dispose()
    assert "a newer version of Modelwright" in refused(tmp_path)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use(tmp_path: Path, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        error_line = refused(tmp_path, None, "--port", port, "--workers", workers)
    assert error_line == f"Error: Cannot listen on 127.0.0.1, port {port}: Address already in use\n"


def test_no_such_database(tmp_path: Path, postgres: "Postgres") -> None:
    error_line = refused(tmp_path, f"postgresql://test:s3cret@/nowhere?host={postgres.socket}")
    assert 'database "nowhere" does not exist' in error_line


def test_no_driver(tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError('no libpq')")
    error_line = refused(tmp_path, "postgresql://ann:s3cret@localhost/name", path=tmp_path)
    assert 'pip install "modelwright[postgres]"' in error_line


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104 - the case under test
def test_without_a_key_it_serves_no_other_machine(tmp_path: Path, host: str) -> None:
    error_line = refused(tmp_path, None, "--host", host, *TWO)
    assert host in error_line and "keys create" in error_line and "--insecure" in error_line


@pytest.mark.parametrize("key", ["", "x", "   ", " " * 40, "changeme", "a" * 64])
def test_a_weak_key(tmp_path: Path, key: str) -> None:
    assert "MODELWRIGHT_ADMIN_KEY" in refused(tmp_path, None, "--insecure", *TWO, key=key)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_keys_that_cannot_be_read(tmp_path: Path, workers: str) -> None:
    (tmp_path / "access").mkdir()
    (tmp_path / "access" / "keys.json").write_text("{")
    assert "keys" in refused(tmp_path, None, "--insecure", "--workers", workers)


def test_warnings_of_the_start_are_log_lines(tmp_path: Path) -> None:
    options = ("--home", str(tmp_path), "--host", "0.0.0.0", "--insecure")  # noqa: S104 - that is warned of
    environment = os.environ | {"MODELWRIGHT_WEBHOOK_HOSTS": "example.com"}  # without a secret it does not start
    command = [sys.executable, "-m", "service", "serve", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)  # noqa: S603 - our own
    warning, error = done.stderr.splitlines()
    assert json.loads(warning)["level"] == "warning" and "authentication is disabled" in json.loads(warning)["event"]
    assert error.startswith("Error: ")
    command += ["--log-format", "console"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)  # noqa: S603 - our own
    warning = done.stderr.splitlines()[0]
    assert "[warning" in warning and "authentication is disabled" in warning and "\x1b" not in warning
