"""Is the node alive, does it want traffic, and how are its backends: three questions with three answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from orama.contracts.clock import Clock
from orama.errors import OramaError, Unavailable

Probe = Callable[[], Awaitable[object]]

_CACHE_S = 1.0
_PROBE_TIMEOUT_S = 2.0


class Probed(msgspec.Struct, frozen=True):
    """One backend's answer. `error` is public text, None if the probe succeeded."""

    latency_s: float
    error: str | None


class Round(msgspec.Struct, frozen=True):
    """One round of probes: each service's answer, and the bytes that all databases take on disk."""

    services: dict[str, Probed]
    database_bytes: int


class HealthService:
    """Probes backends for real, at most once a second however often it is asked.

    Args:
        probes: by service name, a call that fails if the service cannot do its work.
        required: the services without which no request can be authorised.
        database_bytes: measures what the databases take on disk.
        clock: for uptime, latencies and the cache.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        required: frozenset[str],
        database_bytes: Callable[[], Awaitable[int]],
        clock: Clock,
    ) -> None:
        self._probes = dict(probes)
        self._required = required
        self._database_bytes = database_bytes
        self._clock = clock
        self._draining = False
        self._round: asyncio.Task[Round] | None = None
        self._round_started = 0.0
        self.started_at = clock.now()
        """Unix seconds."""
        self._started_monotonic = clock.monotonic()

    @property
    def uptime_s(self) -> float:
        """Seconds since the service was made."""
        return self._clock.monotonic() - self._started_monotonic

    def drain(self) -> None:
        """From now on the node wants no new traffic."""
        self._draining = True

    async def probe(self) -> Round:
        """Each service as probed at most a second ago."""
        now = self._clock.monotonic()
        if self._round is None or now - self._round_started >= _CACHE_S:
            self._round_started = now
            self._round = asyncio.create_task(self._probe_all(), name="health-probes")
        return await asyncio.shield(self._round)

    async def check_ready(self) -> None:
        """Return if the node wants traffic.

        Raises:
            Unavailable: it is shutting down, or cannot decide who may do what.
        """
        if self._draining:
            raise Unavailable("the node is shutting down", reason="draining")
        services = (await self.probe()).services
        down = sorted(name for name in self._required if services[name].error is not None)
        if down:
            raise Unavailable(f"not ready: {', '.join(down)} down", reason="not_ready")

    async def _probe_all(self) -> Round:
        results = await asyncio.gather(*(self._ask(probe) for probe in self._probes.values()))
        return Round(dict(zip(self._probes, results, strict=True)), await self._database_bytes())

    async def _ask(self, probe: Probe) -> Probed:
        started = self._clock.monotonic()
        error: str | None = None
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                await probe()
        except TimeoutError:
            error = f"no answer within {_PROBE_TIMEOUT_S:g} s"
        except OramaError as cause:
            error = cause.text
        return Probed(self._clock.monotonic() - started, error)
