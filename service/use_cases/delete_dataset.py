"""Delete a data set, and fail the queued jobs that need it."""

from model_store import Store
from service.jobs.errors import IllegalMove
from service.jobs.journal import Journal


def delete(store: Store, journal: Journal, name: str) -> None:
    """Removes every version of the data set. Trainings that have read it continue.

    Raises:
        NameNotFound: there is no such data set.
    """
    store.datasets.delete_all(name)
    error = {"code": "dataset_deleted", "detail": f"the data set {name!r} was deleted before the training began"}
    for job in journal.waiting():
        data = job.spec.get("data")
        if isinstance(data, dict) and data.get("dataset") == name:
            try:
                journal.fail_waiting(job.id, error)
            except IllegalMove:
                continue  # it has just begun, and fails by itself
