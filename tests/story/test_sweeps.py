"""A sweep whose service is killed goes on as if nothing had happened: the same suggestions, the same best, the same bits."""

import random
import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.harness.server import Server, verify
from tests.harness.until import until
from tests.story.searching import SWEEP, came_to, steps_of


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the sweep comes to."""
    with Server(tmp_path_factory.mktemp("undisturbed") / "home", slots=2) as server:
        server.client.search(SWEEP, SWEEP["search"])
        return came_to(server)


def test_p17_kills_change_neither_the_suggestions_nor_the_best(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    seed = secrets.randbits(32)
    moments = sorted(random.Random(seed).choices(range(2 * SWEEP["trials"] + 2), k=3))  # noqa: S311 - no secret
    with Server(tmp_path / "home", slots=2, checkpoint_seconds=0.05) as server:
        server.client.search(SWEEP, SWEEP["search"])
        for moment in moments:
            until(lambda: steps_of(server) >= moment, 120)  # noqa: B023 - used at once
            server.kill()
            server.start()
        assert came_to(server) == undisturbed, f"seed {seed}"
        assert server.stop() == 0
    verify(tmp_path / "home")


def test_a_service_of_several_processes_makes_each_trial_once(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    with Server(tmp_path / "home", slots=2, workers=2) as server:
        server.client.search(SWEEP, SWEEP["search"])
        assert came_to(server) == undisturbed
