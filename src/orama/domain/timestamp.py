"""Points in time as the platform writes them: RFC 3339 for people, integer milliseconds for tables."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def to_ms(seconds: float) -> int:
    """Unix seconds as whole milliseconds."""
    return round(seconds * 1000)


def rfc3339(ms: int) -> str:
    """Unix milliseconds as RFC 3339 in UTC: ``2027-01-15T08:00:00.250Z``."""
    seconds, milliseconds = divmod(ms, 1000)
    return f"{_whole_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=4)
def _whole_second(seconds: int) -> str:
    """The calendar's part, which the log's lines of one second share."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse_rfc3339(text: str) -> int:
    """The unix milliseconds that an RFC 3339 text names.

    Raises:
        ValueError: it names none, or leaves the offset out.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset: 'Z' or '+01:00'")
    return to_ms(moment.timestamp())
