"""A kind of data is one file and one name in a union: no other code branches on the kind."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from service.workflow.data.data_kind import DataKind
from service.workflow.spec import Data

ROOT = Path(__file__).parents[2]
KINDS: tuple[type[DataKind], ...] = get_args(get_args(Data)[0])
NAMES = {kind.__name__ for kind in KINDS}
TAGS = {kind.model_fields["kind"].default for kind in KINDS}
THEIR_OWN = {Path(*kind.__module__.split(".")).with_suffix(".py") for kind in KINDS}


def names(node: ast.AST) -> set[Any]:
    """The names, attributes and string constants in an expression."""
    inside = [*ast.walk(node)]
    return {
        *(each.id for each in inside if isinstance(each, ast.Name)),
        *(each.attr for each in inside if isinstance(each, ast.Attribute)),
        *(each.value for each in inside if isinstance(each, ast.Constant)),
    }


def branches(tree: ast.AST) -> Iterator[ast.AST]:
    """Where code branches on the kind of data: by its class, or by its tag."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, classes]) if names(classes) & NAMES:
                yield node
            case ast.MatchClass(cls=cls) if names(cls) & NAMES:
                yield node
            case ast.Compare() if (names(node) & NAMES) or ("kind" in names(node) and names(node) & TAGS):
                yield node


def test_branches_are_found() -> None:
    for code in (
        "isinstance(spec.data, (dataset.DatasetData, RowsData))",
        "type(data) is LineData",
        "spec.data.kind == 'line'",
        "match data:\n    case RowsData(): pass",
    ):
        assert len([*branches(ast.parse(code))]) == 1, code


def test_no_code_branches_on_a_kind_of_data() -> None:
    files = [path.relative_to(ROOT) for path in (ROOT / "service").rglob("*.py")]
    found = [
        f"{path}:{getattr(node, 'lineno', node)}"
        for path in files
        if path not in THEIR_OWN
        for node in branches(ast.parse((ROOT / path).read_text()))
    ]
    assert len(files) > 100 and set(files) >= THEIR_OWN
    assert found == []
