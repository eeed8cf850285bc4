"""Gauges, and counters, that are asked for their values when Prometheus asks."""

import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

Value = tuple[str, str, Callable[[], float]]  # a name, what it is, and who knows


class Gauges(Collector):
    """Some values of a running process."""

    def __init__(self, values: list[Value]) -> None:
        self._values = values

    def collect(self) -> Iterator[Metric]:
        """Each as it is now."""
        for name, about, value in self._values:
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(name, about, float(value()))

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: the client would otherwise collect at once."""
        return iter(())


class Surroundings(Collector):
    """What is the same for all processes of a service.

    Args:
        home: the folder whose free space is told.
        versions: of the software, by name.
    """

    def __init__(self, home: Path, versions: dict[str, str]) -> None:
        self._home = home
        self._versions = versions | {"python": platform.python_version()}

    def collect(self) -> Iterator[Metric]:
        """As it is now."""
        try:
            disk = shutil.disk_usage(self._home)
        except OSError:
            pass  # it is not there at the moment: then there is nothing to tell of it
        else:
            yield GaugeMetricFamily("modelwright_home_free_bytes", "Bytes free where the home is.", float(disk.free))
            yield GaugeMetricFamily(
                "modelwright_home_size_bytes", "Bytes of the disk with the home.", float(disk.total)
            )
        yield InfoMetricFamily("modelwright_build", "The versions of the software.", self._versions)

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: the client would otherwise collect at once."""
        return iter(())
