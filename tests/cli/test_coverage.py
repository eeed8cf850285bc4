"""Every call of the API has a command, docs/command-line.md says which, and every command prints JSON if asked to."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from service.cli.failures import EXIT_STATUSES
from service.cli.main import app
from tests.harness.server import ROOT

PAGE = (ROOT / "docs" / "command-line.md").read_text()
CALL = re.compile(r"`([A-Z]+ /[^`]*)`")
WITHOUT = ("serve", "demo", "metrics")  # they print no data, or in a format of its own
OTHERS = re.compile(r"\S+ /(v2|ping|invocations)\b|.*:predict$|.*/labels/|.*/metadata$")


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The commands of a group and of the groups in it, by their words."""
    if not hasattr(command, "commands"):
        yield " ".join(path), command
        return
    for name, inner in command.commands.items():
        yield from leaves(inner, (*path, name))


COMMANDS = dict(leaves(typer.main.get_command(app)))


def documented() -> dict[str, set[str]]:
    rows = re.findall(r"^\| `modelwright ([a-z -]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    return {command: set(CALL.findall(calls)) for command, calls in rows}


def test_every_command_is_in_the_table() -> None:
    assert sorted(documented()) == sorted(COMMANDS)


def test_every_call_has_a_command() -> None:
    """The calls are those of docs/http-api.md, which another test compares with the routes."""
    routes = set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", (ROOT / "docs" / "http-api.md").read_text(), re.MULTILINE))
    in_table = set[str]().union(*documented().values())
    assert in_table - routes == set()
    excepted = set(CALL.findall(PAGE.rpartition("Calls without a command")[2]))
    left = {route for route in routes - in_table - excepted if not OTHERS.match(route)}
    assert left <= {"GET /"}  # the page


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - set(WITHOUT)))
def test_every_command_can_print_json(name: str) -> None:
    assert any("--json" in each.opts for each in COMMANDS[name].params)


def test_every_exit_status_is_told() -> None:
    told = {int(each) for each in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert told == {int(each) for each in re.findall(r"\b\d+\b", EXIT_STATUSES)}
