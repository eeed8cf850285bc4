import pytest

from service.model_reference import ModelReference


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("houses", "houses", None),
        ("houses@", "houses", None),
        ("houses@3", "houses", "3"),
        ("houses@production", "houses", "production"),
        ("houses@a@b", "houses", "a@b"),  # refused by the store
    ],
)
def test_a_reference_has_a_name_and_an_optional_version(text: str, name: str, version: str | None) -> None:
    assert ModelReference.parse(text) == ModelReference(name, version)
