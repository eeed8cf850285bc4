"""How the schemas of answers are written: as typed dictionaries, which mypy checks where they are made."""

from typing import Any, TypeVar, cast

from pydantic import ConfigDict, with_config

from service.api.problems import error_document

T = TypeVar("T")
closed = with_config(ConfigDict(extra="forbid"))  # OpenAPI: additionalProperties false


def damaged(schema: type[T], error: Exception, **known: Any) -> T:
    """An item of a list that cannot be read: null but for what is known, and its `error`. The rest of the list is shown."""
    return cast(T, dict.fromkeys(schema.__annotations__) | known | {"error": error_document(error)})
