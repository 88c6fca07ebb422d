"""What Prometheus reads. Counting costs a dictionary look-up; the text format is made when somebody asks.

The metrics live in plain dictionaries because the library's own counters cost a microsecond and a lock each, several
times per request. A collector hands them to the library, which owns the format.
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

from orama.gateway.kernel.call import Call, Reply

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BOUNDS: Final = [*(f"{bound:g}" for bound in BUCKETS_S), "+Inf"]

Gauge = Callable[[], float]
Counts = Callable[[], Mapping[tuple[str, ...], float]]


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


class Metrics(Collector):
    """All metrics of one node. Also the pipeline's observer that counts requests."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], int] = {}
        self._errors: dict[tuple[str, str], int] = {}
        self._latency: dict[str, Histogram] = {}
        self._ports: dict[tuple[str, str], Histogram] = {}
        self._port_errors: dict[tuple[str, str, str], int] = {}
        self._gauges: list[tuple[str, str, Gauge]] = []
        self._counts: list[tuple[str, str, tuple[str, ...], Counts]] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    # ── counting ────────────────────────────────────────────────────────────────────────────────────────────────────

    def finished(self, call: Call, reply: Reply, duration_s: float) -> None:
        """Count a finished request under its operation: the label's values are as few as the operations."""
        name = call.route.name
        key = (name, call.route.operation.method, reply.status)
        self._requests[key] = self._requests.get(key, 0) + 1
        histogram = self._latency.get(name)
        if histogram is None:
            histogram = self._latency[name] = Histogram()
        histogram.observe(duration_s)
        if call.error_code is not None:
            error = (name, call.error_code)
            self._errors[error] = self._errors.get(error, 0) + 1

    def failed(self, call: Call, cause: BaseException) -> None:
        """Counted in `finished`."""

    def port_histogram(self, port: str, method: str) -> Histogram:
        """The durations of one method of one port."""
        return self._ports.setdefault((port, method), Histogram())

    def count_port_error(self, port: str, method: str, code: str) -> None:
        """Count a failed call of a port."""
        key = (port, method, code)
        self._port_errors[key] = self._port_errors.get(key, 0) + 1

    def add_gauge(self, name: str, text: str, read: Gauge) -> None:
        """Offer a number that is read when asked for."""
        self._gauges.append((name, text, read))

    def add_counts(self, name: str, text: str, labels: tuple[str, ...], read: Counts) -> None:
        """Offer counters that somebody else keeps: `read` gives them by the values of `labels`."""
        self._counts.append((name, text, labels, read))

    # ── exposition ──────────────────────────────────────────────────────────────────────────────────────────────────

    def render(self) -> bytes:
        """The metrics in Prometheus' text format 0.0.4, whose media type is `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Called by the library."""
        requests = CounterMetricFamily(
            "orama_http_requests", "Requests answered.", labels=("operation", "method", "status")
        )
        for (operation, method, status), count in self._requests.items():
            requests.add_metric((operation, method, str(status)), count)
        yield requests
        errors = CounterMetricFamily(
            "orama_http_errors", "Requests answered with an error.", labels=("operation", "code")
        )
        for labels, count in self._errors.items():
            errors.add_metric(labels, count)
        yield errors
        yield _histograms(
            "orama_http_request_duration_seconds",
            "From a request's last byte read to its reply.",
            ("operation",),
            {(name,): histogram for name, histogram in self._latency.items()},
        )
        yield _histograms(
            "orama_port_duration_seconds", "Calls of the backends, by port and method.", ("port", "method"), self._ports
        )
        port_errors = CounterMetricFamily(
            "orama_port_errors", "Failed calls of the backends.", labels=("port", "method", "code")
        )
        for labels, count in self._port_errors.items():
            port_errors.add_metric(labels, count)
        yield port_errors
        for name, text, read in self._gauges:
            yield GaugeMetricFamily(name, text, value=read())
        for name, text, label_names, read_counts in self._counts:
            family = CounterMetricFamily(name, text, labels=label_names)
            for labels, count in read_counts().items():
                family.add_metric(labels, count)
            yield family


def _histograms(
    name: str, text: str, labels: tuple[str, ...], histograms: Mapping[tuple[str, ...], Histogram]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, histogram in histograms.items():
        family.add_metric(values, histogram.cumulative(), histogram.total_s)
    return family
