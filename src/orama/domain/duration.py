"""Durations as Go writes them, which is how clients of the Go gateway send them."""

from __future__ import annotations

import re
from typing import Final

_UNIT_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign
    "μs": 1_000,  # U+03BC, the Greek letter; Go takes both
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_TERM: Final = re.compile(r"(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]*))?(?P<unit>[^0-9.]+)", re.ASCII)
_MAX_NS: Final = 2**63 - 1
_MAX_CHARACTERS: Final = 64


def parse_duration_s(text: str) -> float:
    """Seconds of a Go duration: ``300ms``, ``-1.5h``, ``1h30m``, ``0``. Exact to the nanosecond before it is a float.

    The grammar is that of ``time.ParseDuration``: decimal numbers, each with a unit (ns, us, µs, ms, s, m, h), in any
    order, with one sign in front; what would pass 2^63 - 1 ns (292 years) is refused.

    Raises:
        ValueError: the text is no duration; its message says why.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"longer than {_MAX_CHARACTERS} characters")
    unsigned = text[1:] if text[:1] in ("-", "+") else text
    if unsigned == "0":
        return 0.0
    if not unsigned:
        raise ValueError("empty")
    total_ns = 0
    at = 0
    while at < len(unsigned):
        term = _TERM.match(unsigned, at)
        if term is None:
            raise ValueError("missing unit: write 30s, 5m, 1h30m")
        total_ns += _term_ns(term["whole"], term["fraction"] or "", term["unit"])
        at = term.end()
    if total_ns > _MAX_NS:
        raise ValueError("longer than 292 years")
    return (-total_ns if text[0] == "-" else total_ns) / 1_000_000_000


def _term_ns(whole: str, fraction: str, unit: str) -> int:
    if not whole and not fraction:
        raise ValueError(f"no number before {unit!r}")
    scale = _UNIT_NS.get(unit)
    if scale is None:
        raise ValueError(f"unknown unit {unit!r}: use ns, us, ms, s, m or h")
    return int(whole or "0") * scale + int(fraction or "0") * scale // 10 ** len(fraction)


def format_duration(seconds: float) -> str:
    """Seconds, not negative, the way Go prints a duration: ``1h2m3.4s``, with tenths."""
    tenths = round(seconds * 10)
    hours, tenths = divmod(tenths, 36_000)
    minutes, tenths = divmod(tenths, 600)
    text = f"{tenths / 10:g}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
