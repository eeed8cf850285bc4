"""The comparison of OpenAPI documents finds every kind of difference."""

import json
from pathlib import Path

from tests.docs.compare_openapi import differences, main

BEFORE = {"paths": {"/a": {"get": {"parameters": [{"name": "x"}, {"name": "y"}], "summary": "A"}}, "/b": {}}}


def test_equal_documents_have_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(BEFORE))
    assert main(str(path), str(path)) == 0


def test_each_kind_of_difference_has_its_line() -> None:
    after = {"paths": {"/a": {"get": {"parameters": [{"name": "x"}, {"name": "z"}], "summary": 1}}, "/c": {}}}
    assert list(differences(BEFORE, after)) == [
        'changed /paths/~1a/get/parameters/1/name: "y" -> "z"',
        'changed /paths/~1a/get/summary: "A" -> 1',
        "removed /paths/~1b",
        "added /paths/~1c",
    ]
    assert list(differences([1], [1, 2])) == ["changed : [1] -> [1, 2]"]
    assert list(differences(1, True)) == ["changed : 1 -> true"]
