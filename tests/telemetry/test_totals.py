"""Metrics of several processes, merged."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from service.telemetry.exposition import families, text
from service.telemetry.totals import MetricFamily, only_summed, total


def counted(*seconds: float, waiting: int = 0) -> CollectorRegistry:
    """The metrics of a process whose requests took so many seconds."""
    registry = CollectorRegistry()
    requests = Counter("requests", "Requests.", ["status"], registry=registry)
    took = Histogram("took_seconds", "Their seconds.", ["route"], buckets=(0.1, 1.0), registry=registry)
    Gauge("waiting", "Who waits.", registry=registry).set(waiting)
    for each in seconds:
        requests.labels("200").inc()
        took.labels("/").observe(each)
    return registry


def without_creation_times(exposed: bytes) -> list[str]:
    """The lines without creation times."""
    return sorted(line for line in exposed.decode().splitlines() if "_created" not in line)


def test_the_totals_of_one_process_are_its_own_metrics() -> None:
    registry = counted(0.05, 0.5, 5)
    summed = only_summed(families(registry))
    gauge = [line for line in without_creation_times(generate_latest(registry)) if "waiting" in line]
    assert without_creation_times(text(total({"one": summed}))) == [
        line for line in without_creation_times(generate_latest(registry)) if line not in gauge
    ]


def test_counters_and_histograms_are_summed_and_gauges_kept_apart() -> None:
    both = {"one": families(counted(0.05, waiting=2)), "two": families(counted(0.5, 5.0, waiting=3))}
    lines = without_creation_times(text(total(both)))
    for line in (
        'requests_total{status="200"} 3.0',
        'took_seconds_bucket{le="0.1",route="/"} 1.0',
        'took_seconds_bucket{le="1.0",route="/"} 2.0',
        'took_seconds_bucket{le="+Inf",route="/"} 3.0',
        'took_seconds_sum{route="/"} 5.55',
        'waiting{process="one"} 2.0',
        'waiting{process="two"} 3.0',
    ):
        assert line in lines


def test_counts_of_an_ended_process_are_kept() -> None:
    one, two = families(counted(0.05, waiting=2)), families(counted(0.5, waiting=3))
    gone = total({"one": only_summed(one)})
    gone = total({"three": only_summed(one)}, gone)
    lines = without_creation_times(text(total({"two": two}, gone)))
    assert 'requests_total{status="200"} 3.0' in lines
    assert [line for line in lines if line.startswith("waiting")] == ['waiting{process="two"} 3.0']


@given(st.lists(st.lists(st.floats(0, 10), max_size=5), max_size=4))
def test_totals_do_not_depend_on_the_order_of_exits(lives: list[list[float]]) -> None:
    summed = {str(number): only_summed(families(counted(*seconds))) for number, seconds in enumerate(lives)}
    gone: list[MetricFamily] = []
    for name, each in summed.items():
        gone = total({name: each}, gone)
    together = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in values(text(total(summed)))}
    one_by_one = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in values(text(gone))}
    assert together.keys() == one_by_one.keys()
    assert all(abs(together[name] - one_by_one[name]) < 1e-6 for name in together)


def values(exposed: bytes) -> list[str]:
    """The lines with values."""
    return [line for line in without_creation_times(exposed) if not line.startswith("#")]
