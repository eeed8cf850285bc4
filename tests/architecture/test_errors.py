import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

import model_store
import service
from service.api.problems import TABLE


def error_classes() -> Iterator[type[Exception]]:
    for package in (service, model_store):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if module.name.endswith(".__main__") or ".migrations." in module.name:
                continue
            for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
                if issubclass(found, Exception) and found.__module__ == module.name:
                    yield found


def beyond_the_service(error: type[Exception]) -> bool:
    """Whether it never reaches a request: errors of the command line, the demo, or the start of the service."""
    return error.__module__.startswith("service.cli.") or error.__module__ == "service.settings"


ERRORS = sorted({each for each in error_classes() if not beyond_the_service(each)}, key=lambda each: each.__name__)


def test_there_are_errors() -> None:
    assert len(ERRORS) > 20


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_has_an_answer_and_a_docstring(error: type[Exception]) -> None:
    status, code = next(TABLE[ancestor] for ancestor in error.__mro__ if ancestor in TABLE)
    assert 400 <= status < 600
    assert code == code.lower()
    assert error.__doc__
