"""What can be wrong with a configuration, told all at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from orama.errors import InvalidArgument

_MAX_FOUND: Final = 60


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    `path` is the dotted name of the setting, or empty where a whole source cannot be read. `origin` says where it was
    set: ``orama.yaml line 3``, ``ORAMA_SERVER__LISTEN``, ``flag``, ``default``.
    """

    path: str
    found: str
    expected: str
    hint: str = ""
    origin: str = ""

    def __str__(self) -> str:
        place = f"{self.path} ({self.origin})" if self.path and self.origin else self.path or self.origin
        text = f"{place}: found {self.found}; expected {self.expected}"
        return f"{text}; {self.hint}" if self.hint else text


class ConfigError(InvalidArgument):
    """The configuration cannot be used. `faults` holds every reason, the text one line for each."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        lines = "".join(f"\n  {fault}" for fault in self.faults)
        super().__init__(f"the configuration has {count}:{lines}", reason="invalid_configuration")


def describe(value: Any) -> str:
    """A value as a fault shows it: short, on one line, and never the inside of a list or a mapping."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | str):
        # A number of thousands of digits cannot even be written in decimal.
        text = repr(value) if not isinstance(value, int) or abs(value) < 10**_MAX_FOUND else "a huge number"
        return text if len(text) <= _MAX_FOUND else text[:_MAX_FOUND] + "…"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dt.date):
        return "a date"
    return f"a value of another kind ({type(value).__name__})"
