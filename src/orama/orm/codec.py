"""Python's types as SQL keeps them: each has one form, which is read back exactly.

| type | in SQL |
|---|---|
| `int`, `float`, `str`, `bytes` | INTEGER (64 bits), REAL, TEXT, BLOB |
| `bool` | the integers 0 and 1 |
| `datetime` (with a time zone) | TEXT in UTC, ``2027-01-15T08:00:00.250000Z``: sorts by time, good to the microsecond |
| `date` | TEXT, ``2027-01-15`` |
| `Decimal` | TEXT, as written: exact, and not sorted by value |
| `UUID` | TEXT in lower case with hyphens |
| an `Enum`, a `Literal` | its values, which are `int` or `str` |
| ``T | None`` | NULL, or as T |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from orama.domain.sql import Value
from orama.orm.mismatch import Unfit

_KINDS: Final[dict[type, str]] = {type(None): "NULL", int: "INTEGER", float: "REAL", str: "TEXT", bytes: "BLOB"}


class Codec(msgspec.Struct, frozen=True, eq=False):
    """One type's way to SQL and back. `expected` is the type's name in errors.

    `write` and `read` raise `Unfit` for what is not of the type. `comparable`: whether the forms in SQL are equal and
    sorted as the values are. `base`: the codec of T, if this is that of ``T | None``.
    """

    expected: str
    write: Callable[[Any], Value]
    read: Callable[[Value], Any]
    comparable: bool = True
    base: Codec | None = None

    @property
    def nullable(self) -> bool:
        """Whether NULL is one of its values."""
        return self.base is not None

    def required(self) -> Codec:
        """The codec of T."""
        return self.base or self

    def optional(self) -> Codec:
        """The codec of ``T | None``."""
        if self.nullable:
            return self
        write, read = self.write, self.read
        return Codec(
            f"{self.expected} or NULL",
            lambda value: None if value is None else write(value),
            lambda value: None if value is None else read(value),
            self.comparable,
            self,
        )


def kind_of(value: Value) -> str:
    """SQL's name of the kind of `value`."""
    return _KINDS[type(value)]


def misfit(value: object) -> Unfit:
    """What to raise for a value of Python that is of another type."""
    return Unfit("None" if value is None else type(value).__name__)
