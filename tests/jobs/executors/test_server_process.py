from pathlib import Path

from service.jobs.executors.local.server_process import TrainerServerProcess


def test_the_temporary_folder_exists_before_the_trainer_server_starts(tmp_path: Path) -> None:
    # torch looks for one when it is imported, and where the root is read-only there is no other.
    folder = tmp_path / "home" / "tmp"
    trainers = TrainerServerProcess("json:loads", [], folder, forks=True, silence=60.0)
    try:
        assert folder.is_dir()
    finally:
        trainers.close()
