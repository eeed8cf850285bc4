from pathlib import Path

import psutil
import pytest

from service.jobs.executors.local.process_tree import memory
from service.jobs.limits import memory_there_is


@pytest.mark.parametrize(("told", "bytes_"), [("1048576\n", 2**20), ("max\n", None), (str(2**62), None), (None, None)])
def test_a_containers_memory_is_what_it_was_given(tmp_path: Path, told: str | None, bytes_: int | None) -> None:
    limit = tmp_path / "memory.max"
    if told is not None:
        limit.write_text(told)
    assert memory_there_is(limit) == bytes_ or (
        bytes_ is None and memory_there_is(limit) == psutil.virtual_memory().total
    )


def test_a_process_that_has_ended_takes_nothing() -> None:
    assert memory(psutil.Process().pid) > 2**20
    assert memory(2**22 + 1) == 0  # beyond what the kernel gives out
