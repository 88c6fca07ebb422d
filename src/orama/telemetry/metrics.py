"""What Prometheus reads. Counting costs a dictionary look-up; the text format is made when somebody asks.

Counters live in plain dictionaries beside what they count, because the library's own cost a microsecond and a lock
each, several times per request. A collector hands them to the library, which owns the format.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BOUNDS: Final = [*(f"{bound:g}" for bound in BUCKETS_S), "+Inf"]

Labels = tuple[str, ...]
ReadGauge = Callable[[], float]
ReadCounts = Callable[[], Mapping[Labels, float]]


class Histogram:
    """Durations in seconds, in `BUCKETS_S`."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.total_s = 0.0

    def observe(self, duration_s: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BUCKETS_S, duration_s)] += 1
        self.total_s += duration_s

    def cumulative(self) -> list[tuple[str, float]]:
        """The buckets as Prometheus wants them: each holds all that are smaller."""
        running = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip(_BOUNDS, self.counts, strict=True):
            running += count
            buckets.append((bound, running))
        return buckets


ReadHistograms = Callable[[], Mapping[Labels, Histogram]]


class Metrics(Collector):
    """The metrics of one node: every part registers how its numbers are read, and `render` reads them all."""

    def __init__(self) -> None:
        self._gauges: list[tuple[str, str, ReadGauge]] = []
        self._counts: list[tuple[str, str, Labels, ReadCounts]] = []
        self._histograms: list[tuple[str, str, Labels, ReadHistograms]] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def add_gauge(self, name: str, text: str, read: ReadGauge) -> None:
        """Offer a number that goes up and down."""
        self._gauges.append((name, text, read))

    def add_counts(self, name: str, text: str, labels: Labels, read: ReadCounts) -> None:
        """Offer counters: `read` gives them by the values of `labels`. The format adds ``_total`` to `name`."""
        self._counts.append((name, text, labels, read))

    def add_histograms(self, name: str, text: str, labels: Labels, read: ReadHistograms) -> None:
        """Offer durations: `read` gives them by the values of `labels`."""
        self._histograms.append((name, text, labels, read))

    def render(self) -> bytes:
        """The metrics in Prometheus' text format 0.0.4, whose media type is `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Called by the library."""
        for name, text, read in self._gauges:
            yield GaugeMetricFamily(name, text, value=read())
        for name, text, labels, read_counts in self._counts:
            counter = CounterMetricFamily(name, text, labels=labels)
            for values, count in read_counts().items():
                counter.add_metric(values, count)
            yield counter
        for name, text, labels, read_histograms in self._histograms:
            family = HistogramMetricFamily(name, text, labels=labels)
            for values, histogram in read_histograms().items():
                family.add_metric(values, histogram.cumulative(), histogram.total_s)
            yield family
