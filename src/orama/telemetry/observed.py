"""One wrapper around every port: durations and errors are measured here and nowhere else."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from orama.contracts.clock import Clock
from orama.errors import OramaError
from orama.telemetry.metrics import Histogram, Metrics

_Port = TypeVar("_Port")


class PortObserver:
    """Wraps ports so that their calls are measured."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._monotonic = clock.monotonic
        self._durations: dict[tuple[str, ...], Histogram] = {}
        self._errors: dict[tuple[str, ...], int] = {}
        metrics.add_histograms(
            "orama_port_duration_seconds",
            "Calls of the backends, by port and method.",
            ("port", "method"),
            lambda: self._durations,
        )
        metrics.add_counts(
            "orama_port_errors", "Failed calls of the backends.", ("port", "method", "code"), lambda: self._errors
        )

    def observed(self, port: _Port, name: str) -> _Port:
        """`port` with each of its coroutine methods measured; everything else is the port's own.

        The wrapper answers to the same protocol, which the type says and Python does not check.
        """
        methods = {
            method: self._measured(getattr(port, method), name, method)
            for method, _ in inspect.getmembers(type(port), inspect.iscoroutinefunction)
            if not method.startswith("_")
        }
        return cast("_Port", _Observed(port, methods))

    def _measured(self, call: Callable[..., Awaitable[Any]], port: str, method: str) -> Callable[..., Awaitable[Any]]:
        observe = self._durations.setdefault((port, method), Histogram()).observe
        errors, monotonic = self._errors, self._monotonic

        @functools.wraps(call)
        async def measured(*args: Any, **kwargs: Any) -> Any:
            started = monotonic()
            try:
                return await call(*args, **kwargs)
            except OramaError as error:
                key = (port, method, error.code.label)
                errors[key] = errors.get(key, 0) + 1
                raise
            finally:
                observe(monotonic() - started)

        return measured


class _Observed:
    """Measured methods as attributes, the rest by delegation."""

    def __init__(self, port: object, methods: dict[str, Callable[..., Awaitable[Any]]]) -> None:
        self._port = port
        self.__dict__.update(methods)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._port, attribute)
