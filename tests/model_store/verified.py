"""The findings of verify for one collection."""

from model_store import Collection, Damage
from model_store.backends.backend import Backend
from model_store.verification import Report, Verification


def faults(models: Collection, backend: Backend) -> list[Damage]:
    report = Report()
    Verification(backend, models, None, report).run()
    return report.damages
