"""The port for time: the only way any part of Orama learns what time it is."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Two clocks that must not be mixed, and a way to wait."""

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z. May jump; for what people and tokens call time."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start. Never goes back; for deadlines, buckets and TTLs."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait until `monotonic` has advanced by `seconds`."""
        ...
