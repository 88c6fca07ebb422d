"""One wrapper around every port: durations and errors are measured here and nowhere else."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from orama.contracts.clock import Clock
from orama.errors import OramaError
from orama.telemetry.metrics import Metrics

_Port = TypeVar("_Port")


def observed(port: _Port, name: str, metrics: Metrics, clock: Clock) -> _Port:
    """`port` with each of its coroutine methods measured; everything else is the port's own.

    The wrapper answers to the same protocol, which the type says and Python does not check.
    """
    methods = {
        method: _measured(getattr(port, method), name, method, metrics, clock.monotonic)
        for method, function in inspect.getmembers(type(port), inspect.iscoroutinefunction)
        if not method.startswith("_") and callable(function)
    }
    return cast("_Port", _Observed(port, methods))


class _Observed:
    """Measured methods as attributes, the rest by delegation."""

    def __init__(self, port: object, methods: dict[str, Callable[..., Awaitable[Any]]]) -> None:
        self._port = port
        self.__dict__.update(methods)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._port, attribute)


def _measured(
    call: Callable[..., Awaitable[Any]], port: str, method: str, metrics: Metrics, monotonic: Callable[[], float]
) -> Callable[..., Awaitable[Any]]:
    observe = metrics.port_histogram(port, method).observe

    @functools.wraps(call)
    async def measured(*args: Any, **kwargs: Any) -> Any:
        started = monotonic()
        try:
            return await call(*args, **kwargs)
        except OramaError as error:
            metrics.count_port_error(port, method, error.code.label)
            raise
        finally:
            observe(monotonic() - started)

    return measured
