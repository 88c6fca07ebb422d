"""Times to live as callers write them."""

from __future__ import annotations

from orama.domain.duration import parse_duration_s
from orama.errors import InvalidArgument


def parse_ttl_s(ttl: str | int, max_ttl_s: int) -> float:
    """Seconds of a Go duration (``30s``, ``1h30m``) or of whole seconds.

    Raises:
        InvalidArgument: no such duration, not above zero, or above the limit (reason ``invalid_ttl``).
    """
    if isinstance(ttl, str):
        try:
            seconds = parse_duration_s(ttl)
        except ValueError as cause:
            raise InvalidArgument(f"invalid ttl format: {cause}", reason="invalid_ttl") from cause
    else:
        seconds = ttl
    if seconds <= 0:
        raise InvalidArgument("invalid ttl: it must be greater than zero", reason="invalid_ttl")
    if seconds > max_ttl_s:
        raise InvalidArgument(f"invalid ttl: at most {max_ttl_s} seconds", reason="invalid_ttl")
    return seconds
