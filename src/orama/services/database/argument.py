"""From JSON to SQL: the arguments of a statement."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from orama.domain.sql import MAX_INTEGER, MIN_INTEGER, Value
from orama.errors import InvalidArgument


def to_arguments(values: Iterable[Any]) -> tuple[Value, ...]:
    """The JSON `values` as SQL values.

    A number without a fraction is an integer, however it was written; true and false are 1 and 0; an object
    ``{"blob": "<base64>"}`` is a BLOB.

    Raises:
        InvalidArgument: a value that SQL has no kind for, or an integer beyond 64 bits.
    """
    return tuple(_to_value(value, position) for position, value in enumerate(values))


def _to_value(value: Any, position: int) -> Value:
    match value:
        case None | str() | bytes():
            return value
        case bool():
            return int(value)
        case int():
            if MIN_INTEGER <= value <= MAX_INTEGER:
                return value
            raise _refuse(position, "an integer must fit 64 bits; send longer ones as strings")
        case float():
            return int(value) if value.is_integer() and MIN_INTEGER <= value < MAX_INTEGER else value
        case {"blob": str(text), **rest} if not rest:
            try:
                return base64.b64decode(text, validate=True)
            except ValueError:  # binascii.Error is one; text beyond ASCII raises a plain one
                raise _refuse(position, "'blob' must be standard base64") from None
        case _:
            raise _refuse(position, 'use null, a boolean, a number, a string or {"blob": "<base64>"}')


def _refuse(position: int, text: str) -> InvalidArgument:
    return InvalidArgument(f"argument {position}: {text}", reason="arguments")
