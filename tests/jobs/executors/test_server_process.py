from pathlib import Path

from service.jobs.executors.local.server_process import TrainerServerProcess


def test_the_temporary_folder_exists_before_the_trainer_server_starts(tmp_path: Path) -> None:
    # torch needs one when it is imported, and a read-only root has no other.
    folder = tmp_path / "home" / "tmp"
    trainers = TrainerServerProcess("json:loads", [], folder, forks=True, hung_after=60.0)
    try:
        assert folder.is_dir()
    finally:
        trainers.close()
