from __future__ import annotations

import pytest

from orama.errors import Unavailable
from orama.telemetry.metrics import Histogram, Metrics
from orama.telemetry.observed import PortObserver
from orama.testing.clock import ManualClock


class Port:
    limit = 7

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock

    async def work(self, seconds: float) -> str:
        self.clock.advance(seconds)
        return "done"

    async def fail(self) -> None:
        raise Unavailable("away")

    def plain(self) -> int:
        return self.limit


async def test_calls_of_a_port_are_measured_and_its_errors_counted_by_code():
    clock, metrics = ManualClock(), Metrics()
    port = PortObserver(metrics, clock).observed(Port(clock), "thing")
    assert await port.work(0.3) == "done"
    with pytest.raises(Unavailable):
        await port.fail()
    assert (port.plain(), port.limit) == (7, 7)
    text = metrics.render().decode()
    assert 'orama_port_duration_seconds_bucket{le="0.25",method="work",port="thing"} 0.0' in text
    assert 'orama_port_duration_seconds_bucket{le="0.5",method="work",port="thing"} 1.0' in text
    assert 'orama_port_duration_seconds_count{method="fail",port="thing"} 1.0' in text
    assert 'orama_port_errors_total{code="UNAVAILABLE",method="fail",port="thing"} 1.0' in text
    assert 'method="plain"' not in text


def test_histogram_puts_a_bound_into_its_own_bucket():
    histogram = Histogram()
    for duration_s in (0.0005, 0.00051, 40.0):
        histogram.observe(duration_s)
    buckets = dict(histogram.cumulative())
    assert (buckets["0.0005"], buckets["0.001"], buckets["30"], buckets["+Inf"]) == (1, 2, 2, 3)
