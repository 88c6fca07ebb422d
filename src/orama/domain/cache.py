"""The cache as services and ports speak of it: conditions and limits."""

from __future__ import annotations

from enum import Enum

import msgspec


class PutCondition(Enum):
    """When a put may take effect."""

    ALWAYS = "always"
    IF_ABSENT = "nx"
    IF_PRESENT = "xx"


class CacheLimits(msgspec.Struct, frozen=True):
    """Bounds on cache operations, the same on every engine. Each breach is a 4xx that names the limit."""

    max_key_bytes: int = 1024
    """Longest key, and longest name of a map, in UTF-8. An engine may take less, never more."""
    max_keys: int = 1_000
    """Most keys one mget may ask for."""
    max_result_bytes: int = 8 * 1024 * 1024
    """Most bytes of values one mget may answer with."""
    max_scan_keys: int = 10_000
    """Most keys one scan may answer with."""
    max_pattern_bytes: int = 1024
    """Longest expression for a scan."""
    max_ttl_s: int = 10 * 365 * 24 * 3600
    """Longest time to live, in seconds."""
