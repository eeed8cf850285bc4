"""What verify says of a collection alone."""

from model_store import Collection, Fault
from model_store.verification import Report, Verification


def faults(models: Collection) -> list[Fault]:
    report = Report()
    Verification(models._backend, models, None, report).run()
    return report.faults
