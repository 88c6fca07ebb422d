"""Looking for an expression in keys, in time linear in the key whatever the caller wrote."""

from __future__ import annotations

from typing import Any, Final, Protocol

import re2

from orama.errors import InvalidArgument

_MAX_PROGRAM_SIZE: Final = 1_000
"""Instructions. RE2 takes key length times instructions at worst: this bounds the second (7 ms for a key of 1 KiB)."""
_CALL_COST: Final = 2_000
"""What one call costs beside the matching, in steps of the matcher (about 1 ns each)."""


class _Expression(Protocol):
    """What we use of RE2's compiled expressions, which have no type hints."""

    programsize: int

    def search(self, text: str) -> object | None: ...


class KeyPattern:
    """An RE2 expression that may stand anywhere in a key; None is found in every key.

    Raises:
        InvalidArgument: it is no RE2 expression, or too costly (reason ``invalid_pattern``).
    """

    def __init__(self, pattern: str | None) -> None:
        self._expression = None if pattern is None else _compile(pattern)
        self._program_size = 0 if self._expression is None else self._expression.programsize
        if self._program_size > _MAX_PROGRAM_SIZE:
            raise InvalidArgument("match is too costly: use fewer repetitions", reason="invalid_pattern")

    def found_in(self, key: str) -> bool:
        """Whether the expression is found in `key`."""
        return self._expression is None or self._expression.search(key) is not None

    def cost(self, key: str) -> int:
        """An upper bound on the work of `found_in`, in steps of about a nanosecond."""
        return _CALL_COST + len(key) * self._program_size


def _compile(pattern: str) -> _Expression:
    engine: Any = re2
    options = engine.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        return engine.compile(pattern, options)
    except engine.error as cause:
        detail = cause.args[0].decode(errors="replace")
        raise InvalidArgument(f"match is not an RE2 expression: {detail}", reason="invalid_pattern") from cause
