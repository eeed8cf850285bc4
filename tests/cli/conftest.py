"""The command line in this process, against a real server."""

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from service.cli.main import main
from tests.harness.server import Server


@dataclass(frozen=True)
class Ran:
    """The output of a command and its exit status."""

    status: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command as `main` does, against the server of the session."""
    monkeypatch.setenv("MODELWRIGHT_URL", server.url)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("COLUMNS", "120")

    def command(*arguments: object, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "argv", ["modelwright", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Ran(status, captured.out, captured.err)

    yield command
