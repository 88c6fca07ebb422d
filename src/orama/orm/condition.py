"""What rows must meet.

An expression that a developer writes as text is put in parentheses and proven to be one (`domain.sql_expression`), with
a ``?`` for each argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import msgspec

from orama.domain import sql_expression
from orama.domain.sql import Value
from orama.errors import InvalidArgument
from orama.orm.annotation import Bindable, bind
from orama.orm.mismatch import Unfit, ValueMismatch


class Condition(msgspec.Struct, frozen=True, eq=False):
    """A condition; `sql` stands in parentheses. Join several with ``&``, ``|`` and ``~``.

    As everywhere in SQL, what compares a NULL is neither met nor unmet: ``~`` of it does not find the row either.
    """

    sql: str
    args: tuple[Value, ...] = ()

    def __and__(self, other: Condition) -> Condition:
        return Condition(f"({self.sql} AND {other.sql})", self.args + other.args)

    def __or__(self, other: Condition) -> Condition:
        return Condition(f"({self.sql} OR {other.sql})", self.args + other.args)

    def __invert__(self) -> Condition:
        return Condition(f"(NOT {self.sql})", self.args)

    def __bool__(self) -> NoReturn:
        # `and`, `or`, `not`, `if` and a chained a < b < c would quietly drop a part of what is meant.
        raise TypeError("the database decides a condition, not Python: write (a) & (b), (a) | (b), ~(a)")


def sql(text: str, *args: Bindable) -> Condition:
    """The SQL expression `text` as a condition; `args` are its ``?`` in order.

    Raises:
        InvalidArgument: the text is not one expression, or has another number of ``?``.
        ValueMismatch: SQL has no form for an argument.
    """
    return Condition(sql_expression.expression(text, len(args)), bind_all(args))


def all_of(*conditions: Condition) -> Condition:
    """Each of them.

    Raises:
        InvalidArgument: none is given.
    """
    return _joined("AND", conditions)


def any_of(*conditions: Condition) -> Condition:
    """At least one of them.

    Raises:
        InvalidArgument: none is given.
    """
    return _joined("OR", conditions)


def to_condition(first: Condition | str, more: Sequence[Condition | Bindable]) -> Condition:
    """What `where`, `having` and their like are given: conditions that all hold, or a text and its arguments.

    Raises:
        InvalidArgument: see `sql`, or a mixture of both.
    """
    conditions = [other for other in more if isinstance(other, Condition)]
    values = [other for other in more if not isinstance(other, Condition)]
    if isinstance(first, str):
        if conditions:
            raise InvalidArgument("a text and conditions do not mix: make the text one with sql(…)", reason="arguments")
        return sql(first, *values)
    if values:
        raise InvalidArgument("arguments belong to a text, and a condition was given", reason="arguments")
    return all_of(first, *conditions)


def bind_all(args: Sequence[Bindable]) -> tuple[Value, ...]:
    """Arguments of a text, as SQL keeps them.

    Raises:
        ValueMismatch: SQL has no form for one.
    """
    values: list[Value] = []
    for number, argument in enumerate(args, 1):
        try:
            values.append(bind(argument))
        except Unfit as unfit:
            raise ValueMismatch("arguments", str(number), expected="a value of SQL", got=unfit.got) from None
    return tuple(values)


def _joined(word: str, conditions: Sequence[Condition]) -> Condition:
    if not conditions:
        raise InvalidArgument(f"nothing to join with {word}", reason="no_condition")
    if len(conditions) == 1:
        return conditions[0]
    text = f" {word} ".join(one.sql for one in conditions)
    return Condition(f"({text})", tuple(value for one in conditions for value in one.args))
