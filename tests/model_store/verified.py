"""What verify says of a collection alone."""

from model_store import Collection, Damage
from model_store.verification import Report, Verification


def faults(models: Collection) -> list[Damage]:
    report = Report()
    Verification(models._backend, models, None, report).run()
    return report.damages
