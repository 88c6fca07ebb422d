"""Requests, errors and latencies by operation, for Prometheus."""

from __future__ import annotations

from orama.gateway.kernel.call import Call
from orama.gateway.kernel.message import Reply
from orama.telemetry.metrics import Histogram, Metrics


class RequestMetrics:
    """A `kernel.pipeline.Observer` that counts. Labels have as few values as there are operations."""

    def __init__(self, metrics: Metrics) -> None:
        self._requests: dict[tuple[str, ...], int] = {}
        self._errors: dict[tuple[str, ...], int] = {}
        self._latency: dict[tuple[str, ...], Histogram] = {}
        metrics.add_counts(
            "orama_http_requests", "Requests answered.", ("operation", "method", "status"), lambda: self._requests
        )
        metrics.add_counts(
            "orama_http_errors", "Requests answered with an error.", ("operation", "code"), lambda: self._errors
        )
        metrics.add_histograms(
            "orama_http_request_duration_seconds",
            "From a request's last byte read to its reply.",
            ("operation",),
            lambda: self._latency,
        )

    def finished(self, call: Call, reply: Reply, duration_s: float) -> None:
        """Count the call."""
        operation = call.route.operation
        key = (operation.name, operation.method, _STATUS[reply.status])
        self._requests[key] = self._requests.get(key, 0) + 1
        name = (operation.name,)
        histogram = self._latency.get(name)
        if histogram is None:
            histogram = self._latency[name] = Histogram()
        histogram.observe(duration_s)
        if call.error_code is not None:
            error = (operation.name, call.error_code)
            self._errors[error] = self._errors.get(error, 0) + 1

    def failed(self, call: Call, cause: BaseException) -> None:
        """Nothing to add: `finished` counts it."""


_STATUS = {status: str(status) for status in range(100, 600)}
