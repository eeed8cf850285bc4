import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.errors import InvalidName
from model_store.names import MAX_FILES, check_alias, check_file_names, check_name

LEGAL = ["a", "0", "line", "a.b-c_d", "con-1", "com0", "com10", "console", "lpt", "x.con", "latest", "a" * 64]
ILLEGAL = [
    *("", ".", "..", " ..", "a..b", "a/../b", "model/", "/model", "a\\b", "%2e%2e%2f", "a:b", "a b", "a\0"),
    *("CON", "con", "aux.txt", "nul.", "com1", "lpt9.tar.gz"),
    *("A", "-a", "a-", "_a", "a_", ".a", "a.", "a\n", "\na", "a\r", "a" * 65, "a" * 256),
    *("é", "ａ", "١", "\u202eabc", "😀", "\ud800"),
]


def allowed(check: object, *arguments: object) -> bool:
    assert callable(check)
    try:
        check(*arguments)
    except InvalidName as error:
        assert len(str(error)) < 500
        assert str(error).isascii()
        assert error.rule in str(error)
        return False
    return True


@pytest.mark.parametrize("name", LEGAL)
def test_legal_names(name: str) -> None:
    assert allowed(check_name, name)


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_names(name: str) -> None:
    assert not allowed(check_name, name)


@given(st.text(alphabet="ab0.-_/A\n", max_size=66) | st.text())
def test_names_follow_the_documented_expression(name: str) -> None:
    by_grammar = re.fullmatch(r"[a-z0-9]|[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]", name) and ".." not in name
    if not re.match(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)", name):
        assert allowed(check_name, name) == bool(by_grammar)


@given(st.text(alphabet="ab./\\~%\0", max_size=9) | st.text())
def test_legal_names_stay_inside_their_folder(name: str) -> None:
    if allowed(check_name, name):
        assert (Path("/x") / name).resolve().parent == Path("/x")


@pytest.mark.parametrize("alias", ["a", "production", "a" * 63, "a-b_0", "con"])
def test_legal_aliases(alias: str) -> None:
    assert allowed(check_alias, alias)


@pytest.mark.parametrize("alias", ["", "latest", "1", "0a", "a" * 64, "a.b", "A", "a\n", "-a", "_a", "a/b", "é"])
def test_illegal_aliases(alias: str) -> None:
    assert not allowed(check_alias, alias)


@pytest.mark.parametrize(
    "files",
    [[], ["a"], ["A.b-c_d", "a2"], ["plots/data.json", "plots/x.json"], ["x" * 200]],
)
def test_legal_file_names(files: list[str]) -> None:
    assert allowed(check_file_names, files)


@pytest.mark.parametrize(
    "files",
    [
        *(
            [name]
            for name in ("", "/a", "a/", "a//b", "a/b/c", "../a", "a/..", ".a", "a/.b", "a\n", "a\\b", "é", "x" * 201)
        ),
        *(["a", "A"], ["p/A", "p/a"], ["plots", "plots/a"], ["Plots/a", "plots"], ["a", "a"]),
        [f"f{number}" for number in range(MAX_FILES + 1)],
    ],
)
def test_illegal_file_names(files: list[str]) -> None:
    assert not allowed(check_file_names, files)
