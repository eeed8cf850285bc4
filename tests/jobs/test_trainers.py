from pathlib import Path

from service.jobs.trainers import Trainers


def test_the_folder_of_temporary_files_is_there_before_the_trainer_server_is(tmp_path: Path) -> None:
    # torch looks for one when it is imported, and where the root is read-only there is no other.
    folder = tmp_path / "home" / "tmp"
    trainers = Trainers("json:loads", [], folder, forks=True)
    try:
        assert folder.is_dir()
    finally:
        trainers.close()
