"""A column type is one file and one name in the registry: no other code branches on a type's name. `serving/` may, for its fast
paths for plain numbers and booleans."""

import ast
from collections.abc import Iterator
from pathlib import Path

from service.workflow.data.types.registry import COLUMN_TYPES

SERVICE = Path(__file__).parents[2] / "service"
MAY = ("workflow/data/types/", "serving/")


def branches(tree: ast.AST) -> Iterator[ast.AST]:
    """Comparisons of a type with the name of one."""
    for node in ast.walk(tree):
        inside = [*ast.walk(node)]
        named = any(isinstance(each, ast.Constant) and each.value in COLUMN_TYPES for each in inside)
        typed = any(isinstance(each, ast.Attribute) and each.attr == "type" for each in inside)
        match node:
            case ast.Compare() if named and typed:
                yield node
            case ast.Match(subject=ast.Attribute(attr="type")) if named:
                yield node


def test_branches_are_found() -> None:
    for code in (
        "column.type == 'number'",
        "each.type in ('number', 'boolean')",
        "'datetime' != of.type",
        "match column.type:\n    case 'category': pass",
    ):
        assert len([*branches(ast.parse(code))]) == 1, code


def test_no_code_branches_on_the_name_of_a_column_type() -> None:
    files = {str(path.relative_to(SERVICE)): path for path in SERVICE.rglob("*.py")}
    found = [
        f"{name}:{getattr(node, 'lineno', node)}"
        for name, path in files.items()
        if not name.startswith(MAY)
        for node in branches(ast.parse(path.read_text()))
    ]
    assert len(files) > 100
    assert found == []
