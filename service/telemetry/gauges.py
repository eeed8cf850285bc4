"""Gauges and counters whose values are computed when they are collected."""

import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

Value = tuple[str, str, Callable[[], float]]  # name, help, and a function that returns the value


class Gauges(Collector):
    """Values of a running process. A name that ends in `_total` is a counter's."""

    def __init__(self, values: list[Value]) -> None:
        self._values = values

    def collect(self) -> Iterator[Metric]:
        for name, about, value in self._values:
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(name, about, float(value()))


class ServiceInfo(Collector):
    """Metrics that are the same for all processes of a service: disk space and versions.

    Args:
        home: the folder on whose disk they are measured.
        versions: of the software, by name.
    """

    def __init__(self, home: Path, versions: dict[str, str]) -> None:
        self._home = home
        self._versions = versions | {"python": platform.python_version()}

    def collect(self) -> Iterator[Metric]:
        try:
            disk = shutil.disk_usage(self._home)
        except OSError:
            pass  # the folder is not there at the moment
        else:
            yield GaugeMetricFamily("modelwright_home_free_bytes", "Bytes free where the home is.", disk.free)
            yield GaugeMetricFamily("modelwright_home_size_bytes", "Bytes of the disk with the home.", disk.total)
        yield InfoMetricFamily("modelwright_build", "The versions of the software.", self._versions)
