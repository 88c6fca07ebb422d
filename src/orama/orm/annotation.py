"""From an annotation, or a value, to its form in SQL."""

from __future__ import annotations

import types
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NewType, TypeAlias, Union, get_args, get_origin
from uuid import UUID

from orama.domain.sql import Value
from orama.orm.codec import Codec, kind_of, misfit
from orama.orm.mismatch import Unfit
from orama.orm.scalar import SCALARS

Bindable: TypeAlias = int | float | str | bytes | bool | datetime | date | Decimal | UUID | Enum | None
"""What may stand for a ``?``."""


def codec_for(hint: Any) -> Codec:
    """The codec for an annotation.

    Raises:
        TypeError: SQL has no form for it.
    """
    if isinstance(hint, NewType):
        return codec_for(hint.__supertype__)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        others = [argument for argument in arguments if argument is not type(None)]
        if len(others) == 1 and len(others) < len(arguments):
            return codec_for(others[0]).optional()
    elif origin is Literal:
        return _literal(arguments)
    elif isinstance(hint, type) and issubclass(hint, Enum):
        return _enumeration(hint)
    elif hint in SCALARS:
        return SCALARS[hint]
    raise TypeError(
        f"{_name(hint)} has no form in SQL: use one of {', '.join(kind.__name__ for kind in SCALARS)}, an Enum or a "
        "Literal of int or str, or one of these with '| None'"
    )


def bind(value: Bindable) -> Value:
    """`value` as SQL keeps it, by its own type.

    Raises:
        Unfit: SQL has no form for it.
    """
    if value is None:
        return None
    if isinstance(value, Enum):
        return bind(value.value)
    codec = SCALARS.get(type(value)) or next((SCALARS[kind] for kind in SCALARS if isinstance(value, kind)), None)
    if codec is None:
        raise Unfit(type(value).__name__)
    return codec.write(value)


def _enumeration(kind: type[Enum]) -> Codec:
    kinds: set[type] = {type(member.value) for member in kind}
    if not kinds or not kinds <= {int, str}:
        raise TypeError(f"{kind.__name__} has no form in SQL: the values of an Enum must be int or str")

    def write(member: Any) -> Value:
        if not isinstance(member, kind):
            raise misfit(member)
        return bind(member.value)

    def read(value: Value) -> Any:
        if type(value) not in kinds:
            raise Unfit(kind_of(value))
        try:
            return kind(value)
        except ValueError:
            raise Unfit(f"{kind_of(value)} that is no {kind.__name__}") from None

    return Codec(kind.__name__, write, read)


def _literal(arguments: tuple[Any, ...]) -> Codec:
    values = [value for value in arguments if value is not None]
    if not {type(value) for value in values} <= {int, str}:
        raise TypeError("a Literal has a form in SQL if its values are int or str")
    expected = " or ".join(map(repr, values))

    def write(value: Any) -> Value:
        if type(value) not in (int, str):
            raise misfit(value)
        if value not in values:
            raise Unfit(f"{type(value).__name__} that is not {expected}")
        return value

    def read(value: Value) -> Any:
        if type(value) not in (int, str):
            raise Unfit(kind_of(value))
        if value not in values:
            raise Unfit(f"{kind_of(value)} that is not {expected}")
        return value

    codec = Codec(expected, write, read)
    return codec if len(values) == len(arguments) else codec.optional()


def _name(hint: Any) -> str:
    return str(hint) if get_args(hint) else getattr(hint, "__name__", str(hint))
