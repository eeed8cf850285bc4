"""Imports without the garbage collector."""

import gc

import pytest

from service.interpreter import quick_imports


def test_the_garbage_collector_pauses_for_imports_and_runs_again_after_an_error() -> None:
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), quick_imports():
        import no_such_package  # type: ignore[import-not-found]  # noqa: F401
    assert gc.isenabled()
    gc.unfreeze()
