"""How a class is a table: its name, its primary key, and where columns are not called as fields are."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar, cast

from orama.domain.sql import Value
from orama.orm.annotation import codec_for
from orama.orm.condition import Condition
from orama.orm.expression import Column
from orama.orm.mapping import E, Field, Shape
from orama.orm.mismatch import Unfit, ValueMismatch
from orama.orm.term import Source, Term, check_name

K = TypeVar("K")
"""The type of a primary key."""

_T = TypeVar("_T")


class Table(Generic[E, K]):
    """Rows of the table `name` are instances of `entity`, a dataclass or a `msgspec.Struct`.

    Args:
        entity: the class. Each field is a column; `orama.orm.codec` lists the types and their forms in SQL. Fields of
            a dataclass with ``init=False`` are no columns.
        name: the table's name.
        key: the primary key, as ``lambda user: user.id``, or a tuple of fields. An integer key that is declared
            ``int | None`` is given by the database when None is saved: its column is an INTEGER PRIMARY KEY.
        columns: fields whose columns are called otherwise, as ``lambda user: [(user.made, "made_at")]``.
        version: an int that counts the changes of a row, and is 0 before the first. Who saves or removes what another
            has changed since it was read is refused.

    Raises:
        TypeError: the class cannot be a table's, or a function does more than name fields.
        InvalidArgument: a name is empty, or holds NUL.
    """

    def __init__(
        self,
        entity: type[E],
        name: str,
        *,
        key: Callable[[E], K | None],
        columns: Callable[[E], Iterable[tuple[object, str]]] | None = None,
        version: Callable[[E], int] | None = None,
    ) -> None:
        check_name(name)
        shape = Shape(entity, name)
        if columns is not None:
            shape = Shape(entity, name, _renamed(shape, columns))
        for field in shape.fields:
            check_name(field.column)
        self.name = name
        self.shape = shape
        self.key = shape.pick(key)
        self.version = None if version is None else shape.pick(version)[0]
        self.generated = _is_generated(self.key)
        self.alias: str | None = None
        self._check()

    def aliased(self, alias: str) -> Table[E, K]:
        """The same table under another name, to join it with itself.

        Raises:
            InvalidArgument: the name is empty, or holds NUL.
        """
        check_name(alias)
        table = copy.copy(self)
        table.alias = alias
        return table

    def column(self, field: Callable[[E], _T]) -> Column[_T]:
        """The column of a field: ``users.column(lambda user: user.age)``.

        Raises:
            TypeError: the function does more than name a field.
        """
        one, *more = self.shape.pick(field)
        if more:
            raise TypeError("a column is one field, not several")
        return Column(self.source.column(one.column), (), one.codec, self.name, one.column, self.source)

    def optional(self) -> OptionalTable[E]:
        """The same on the far side of an outer join: None where there is no row."""
        return OptionalTable(cast("Table[E, object]", self))

    @property
    def source(self) -> Source:
        """See `Selectable`."""
        return Source(self.name, self.alias, tuple(field.column for field in self.key))

    def terms(self) -> tuple[Term, ...]:
        """See `Selectable`."""
        source = self.source
        return tuple(Term(source.column(field.column), (), field.column, plain=True) for field in self.shape.fields)

    def read(self, values: Sequence[Value]) -> E:
        """See `Selectable`."""
        return self.shape.read(values)

    def has_key(self, key: K) -> Condition:
        """The condition that a row has that primary key.

        Raises:
            ValueMismatch: it is none.
        """
        source = self.source
        text = " AND ".join(f"{source.column(name)} = ?" for name in source.key)
        return Condition(f"({text})", self.key_values(key))

    def key_values(self, key: K) -> tuple[Value, ...]:
        """A primary key as SQL keeps it.

        Raises:
            ValueMismatch: it is none.
        """
        parts = cast("tuple[object, ...]", key if len(self.key) > 1 else (key,))
        return tuple(_write_key(field, part) for field, part in zip(self.key, parts, strict=True))

    def key_of(self, entity: E) -> tuple[Value, ...]:
        """The primary key of a row that is stored.

        Raises:
            ValueMismatch: it has none yet.
        """
        return tuple(_write_key(field, getattr(entity, field.attribute)) for field in self.key)

    def _check(self) -> None:
        if self.version is not None and (self.version.codec is not codec_for(int) or self.version in self.key):
            raise TypeError(f"{self.name}: the version is a field of its own, declared int")
        if not self.generated and any(field.codec.nullable for field in self.key):
            raise TypeError(f"{self.name}: only a key of one int may be None, until the database gives it")
        columns = [field.column.lower() for field in self.shape.fields]
        if len(set(columns)) < len(columns):
            raise TypeError(f"{self.name}: two fields have one column")


class OptionalTable(Generic[E]):
    """A table on the far side of an outer join; see `Table.optional`."""

    def __init__(self, table: Table[E, object]) -> None:
        self._table = table
        fields = table.shape.fields
        self._key = [fields.index(field) for field in table.key]

    @property
    def source(self) -> Source:
        """See `Selectable`."""
        return self._table.source

    def terms(self) -> tuple[Term, ...]:
        """See `Selectable`."""
        return self._table.terms()

    def read(self, values: Sequence[Value]) -> E | None:
        """See `Selectable`. A row is there if its primary key is."""
        return None if all(values[position] is None for position in self._key) else self._table.read(values)


def _renamed(shape: Shape[E], columns: Callable[[E], Iterable[tuple[object, str]]]) -> dict[str, str]:
    names: dict[str, str] = {}
    for field, column in columns(shape.stand_in):
        if not isinstance(field, Field):
            raise TypeError("give pairs of a field and the name of its column: lambda one: [(one.made, 'made_at')]")
        names[field.attribute] = column
    return names


def _is_generated(key: Sequence[Field]) -> bool:
    return len(key) == 1 and key[0].codec.nullable and key[0].codec.required() is codec_for(int)


def _write_key(field: Field, value: object) -> Value:
    codec = field.codec.required()
    try:
        return codec.write(value)
    except Unfit as unfit:
        raise ValueMismatch(field.table, field.column, expected=codec.expected, got=unfit.got) from None
