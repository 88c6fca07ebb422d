"""SQLite's functions whose cost is a product of lengths, made anew with a bound.

SQLite asks whether to stop only between the steps of its machine, and one call is one step: a single ``instr`` of two
long texts ran past any time limit. These give the same answers in linear time, and look at the time themselves.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# apsw's stubs name a type (Buffer) that Python has from 3.12 on.

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import apsw

from orama.domain.sql import Value
from orama.errors import TooLarge

_MAX_PRODUCT: Final = 100_000_000
"""Some 0.1 s of the slowest, where SQLite's own function does the work."""

_LONG: Final = 4_096
_FEW_CHARACTERS: Final = 32
# Deterministic, so that indexes and generated columns may use them; innocuous, because the schema is not trusted.
_FLAGS: Final = apsw.SQLITE_DETERMINISTIC | apsw.SQLITE_INNOCUOUS


class BoundedFunctions:
    """The functions of one connection. `check_time` raises what a long call is to be stopped with."""

    def __init__(self, connection: apsw.Connection, check_time: Callable[[], None]) -> None:
        self._check_time = check_time
        self._max_length = connection.limit(apsw.SQLITE_LIMIT_LENGTH)
        self._plain: apsw.Connection | None = None
        connection.create_scalar_function("instr", self._instr, 2, flags=_FLAGS)
        connection.create_scalar_function("replace", self._replace, 3, flags=_FLAGS)
        connection.create_scalar_function("unhex", partial(self._ask, "unhex"), 2, flags=_FLAGS)
        for name in ("trim", "ltrim", "rtrim"):
            connection.create_scalar_function(name, partial(self._trim, name), 2, flags=_FLAGS)

    def _instr(self, *arguments: Value) -> Value:
        haystack, needle = arguments
        if isinstance(haystack, bytes) and isinstance(needle, bytes):
            self._look(haystack)
            return haystack.find(needle) + 1
        text, sought = _text(haystack), _text(needle)
        if text is None or sought is None:
            return self._ask("instr", *arguments)
        self._look(text)
        return text.find(sought) + 1

    def _replace(self, *arguments: Value) -> Value:
        text, pattern, substitute = map(_text, arguments)
        # A pattern that begins with NUL is taken for an empty one.
        if text is None or substitute is None or not pattern or pattern[0] == "\0":
            return self._ask("replace", *arguments)
        self._look(text)
        growth = len(substitute) - len(pattern)
        if growth > 0 and len(text) + text.count(pattern) * growth > self._max_length:
            raise apsw.TooBigError("string or blob too big")
        return text.replace(pattern, substitute)

    def _trim(self, name: str, *arguments: Value) -> Value:
        text, unwanted = map(_text, arguments)
        if text is None or unwanted is None:
            return self._ask(name, *arguments)
        self._look(text, unwanted)
        unwanted = unwanted.partition("\0")[0]
        if len(unwanted) > _FEW_CHARACTERS:
            return _trim_many(name, text, frozenset(unwanted))
        if name == "trim":
            return text.strip(unwanted) if unwanted else text
        if name == "ltrim":
            return text.lstrip(unwanted) if unwanted else text
        return text.rstrip(unwanted) if unwanted else text

    def _look(self, *values: str | bytes) -> None:
        if any(len(value) > _LONG for value in values):
            self._check_time()

    def _ask(self, name: str, *arguments: Value) -> Value:
        """SQLite's own answer: for blobs and numbers in the place of text, and for NULL."""
        first, second = (len(one) if isinstance(one, (str, bytes)) else 32 for one in arguments[:2])
        if first * second > _MAX_PRODUCT:
            raise TooLarge(
                f"{name}() of {first} by {second} characters: their product must not pass {_MAX_PRODUCT}",
                reason="too_large",
            )
        if max(first, second) > _LONG:
            self._check_time()
        if self._plain is None:
            self._plain = apsw.Connection(":memory:")
            self._plain.limit(apsw.SQLITE_LIMIT_LENGTH, self._max_length)
        ((answer,),) = self._plain.execute(f"SELECT {name}({','.join('?' * len(arguments))})", arguments)
        return answer


def _text(value: Value) -> str | None:
    """What SQLite takes `value` for where it wants text; None if only SQLite knows."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return None


def _trim_many(name: str, text: str, unwanted: frozenset[str]) -> str:
    begin, end = 0, len(text)
    if name != "rtrim":
        begin = next((place for place, one in enumerate(text) if one not in unwanted), end)
    if name != "ltrim":
        while end > begin and text[end - 1] in unwanted:
            end -= 1
    return text[begin:end]
