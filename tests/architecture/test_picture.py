"""The diagram of the rooms in docs/architecture.md has exactly the arrows of the imports."""

import re
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PACKAGES = {f"service.{path.parent.name}" for path in (ROOT / "service").glob("*/__init__.py")}
ROOMS = {*PACKAGES, "service.app", "model_store", "modelwright"}
Arrow = tuple[str, str]


def room_of(module: str) -> str | None:
    """The room of a module; None for modules outside of the rooms."""
    return next((room for room in ROOMS if module == room or module.startswith(f"{room}.")), None)


def imports() -> set[Arrow]:
    """The pairs of rooms of which the first imports the second."""
    graph = grimp.build_graph("service", "model_store", "modelwright", cache_dir=None)
    pairs = {
        (room_of(module), room_of(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    return {(one, other) for one, other in pairs if one and other and one != other}


def reduction(arrows: set[Arrow]) -> set[Arrow]:
    """The transitive reduction of a graph without cycles: the arrows that no longer path replaces."""

    def reached(room: str) -> set[str]:
        onward = {to for start, to in arrows if start == room}
        return onward.union(*map(reached, onward))

    return {
        (start, to)
        for start, to in arrows
        if not any(to in reached(between) for first, between in arrows if first == start)
    }


def drawn() -> set[Arrow]:
    """`a --> b & c` is two arrows."""
    picture = re.search(r"^```mermaid\nflowchart TD\n(.*?)^```", ARCHITECTURE, re.DOTALL | re.MULTILINE)
    assert picture is not None
    lines = re.findall(r"^ +(\w+) --> (.+)$", picture[1], re.MULTILINE)
    return {(full(start), full(to)) for start, ends in lines for to in ends.split(" & ")}


def full(name: str) -> str:
    return next(room for room in ROOMS if room.rpartition(".")[2] == name)


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def test_the_arrows_are_the_imports() -> None:
    assert sorted(drawn()) == sorted(reduction(imports()))


def test_every_room_is_drawn() -> None:
    assert {room for arrow in drawn() for room in arrow} == ROOMS
