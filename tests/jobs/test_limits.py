from pathlib import Path

import psutil
import pytest

from service.jobs.executors.local.process_tree import memory
from service.jobs.limits import memory_there_is


@pytest.mark.parametrize(
    ("content", "bytes_"), [("1048576\n", 2**20), ("max\n", None), (str(2**62), None), (None, None)]
)
def test_the_memory_limit_of_a_container_is_read(tmp_path: Path, content: str | None, bytes_: int | None) -> None:
    limit = tmp_path / "memory.max"
    if content is not None:
        limit.write_text(content)
    assert memory_there_is(limit) == bytes_ or (
        bytes_ is None and memory_there_is(limit) == psutil.virtual_memory().total
    )


def test_an_ended_process_uses_no_memory() -> None:
    assert memory(psutil.Process().pid) > 2**20
    assert memory(2**22 + 1) == 0  # above the kernel's largest pid
