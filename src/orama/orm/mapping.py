"""From the fields of a class to columns, and back: dataclasses and msgspec structs alike."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar, cast, get_type_hints

import msgspec

from orama.domain.sql import Value
from orama.orm.annotation import codec_for
from orama.orm.codec import Codec
from orama.orm.mismatch import RowMismatch, Unfit, ValueMismatch


class Dataclass(Protocol):
    """Any instance of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


E = TypeVar("E", bound=Dataclass | msgspec.Struct)
"""A class whose instances are rows."""


class Field(msgspec.Struct, frozen=True, eq=False):
    """A field of a class: the attribute, the column that keeps it, and how. `table` is for errors."""

    attribute: str
    column: str
    codec: Codec
    table: str

    def write(self, value: Any) -> Value:
        """`value` as SQL keeps it.

        Raises:
            ValueMismatch: it is not what the field is declared to be.
        """
        try:
            return self.codec.write(value)
        except Unfit as unfit:
            raise ValueMismatch(self.table, self.column, expected=self.codec.expected, got=unfit.got) from None


class Shape(Generic[E]):
    """The fields of a class, in order."""

    def __init__(self, entity: type[E], table: str, columns: Mapping[str, str] | None = None) -> None:
        names = columns or {}
        self.entity = entity
        self.fields: Final = tuple(
            Field(attribute, names.get(attribute, attribute), codec, table)
            for attribute, codec in _codecs(entity).items()
        )
        self._attributes = [field.attribute for field in self.fields]

    def write(self, entity: E) -> list[Value]:
        """The values of `entity`, in the order of the fields.

        Raises:
            ValueMismatch: one is not what its field is declared to be.
        """
        return [field.write(getattr(entity, field.attribute)) for field in self.fields]

    def read(self, values: Sequence[Value]) -> E:
        """The instance that `values`, in the order of the fields, stand for.

        Raises:
            RowMismatch: one is not what its field is declared to be.
        """
        found: dict[str, Any] = {}
        for field, value in zip(self.fields, values, strict=True):
            try:
                found[field.attribute] = field.codec.read(value)
            except Unfit as unfit:
                raise RowMismatch(field.table, field.column, expected=field.codec.expected, got=unfit.got) from None
        return self.entity(**found)

    def positions(self, columns: Sequence[str]) -> list[int]:
        """Where each field stands in rows of these `columns`; what has no field is passed over.

        Raises:
            RowMismatch: a field has no column, or two.
        """
        for field in self.fields:
            count = columns.count(field.column)
            if count != 1:
                got = "no such column" if not count else f"{count} columns of that name"
                raise RowMismatch(field.table, field.column, expected=field.codec.expected, got=got)
        return [columns.index(field.column) for field in self.fields]

    @property
    def stand_in(self) -> E:
        """What looks like an instance, and whose attributes are the fields themselves."""
        return cast("E", _StandIn(self.entity.__name__, {field.attribute: field for field in self.fields}))

    def pick(self, function: Callable[[E], object]) -> tuple[Field, ...]:
        """The fields that `function` names: it is given `stand_in`, and returns one attribute or a tuple of them.

        Raises:
            TypeError: it does anything else.
        """
        picked = function(self.stand_in)
        fields = cast("tuple[object, ...]", picked if isinstance(picked, tuple) else (picked,))
        found = [field for field in fields if isinstance(field, Field)]
        if not found or len(found) < len(fields):
            raise TypeError(f"give a function that only names fields of {self.entity.__name__}: lambda one: one.name")
        return tuple(found)

    def replaced(self, entity: E, changes: Mapping[str, object]) -> E:
        """`entity` with other values of some fields."""
        if not changes:
            return entity
        if isinstance(entity, msgspec.Struct):
            return msgspec.structs.replace(entity, **changes)
        return dataclasses.replace(entity, **changes)


class _StandIn:
    """Answers with the field for each attribute."""

    def __init__(self, entity: str, fields: Mapping[str, Field]) -> None:
        self.__entity = entity
        self.__fields = fields

    def __getattr__(self, attribute: str) -> Field:
        found = self.__fields.get(attribute)
        if found is None:
            raise TypeError(f"{self.__entity} has no field {attribute!r}: it has {', '.join(self.__fields)}")
        return found


def row_shape(row_type: type[E]) -> Shape[E]:
    """The shape of a class that is no table's, for rows of any query.

    Raises:
        TypeError: the class is neither a dataclass nor a struct, or a field has no form in SQL.
    """
    return cast("Shape[E]", _row_shape(row_type))


@lru_cache(maxsize=256)
def _row_shape(row_type: type[Any]) -> Shape[Any]:
    return Shape(row_type, row_type.__name__)


def _codecs(entity: type[Any]) -> dict[str, Codec]:
    """A codec for each field.

    Raises:
        TypeError: the class is neither a dataclass nor a struct, a field has no form in SQL, or it cannot be made
            from its fields alone.
    """
    attributes = list(_attributes(entity))
    if not attributes:
        raise TypeError(f"{entity.__name__} has no fields")
    try:
        hints = get_type_hints(entity)
    except NameError as error:
        raise TypeError(f"an annotation of {entity.__name__} is not known at run time: {error}") from error
    wanted = inspect.signature(entity).parameters.values()
    for parameter in wanted:
        if parameter.default is parameter.empty and parameter.name not in attributes:
            raise TypeError(f"{entity.__name__} cannot be made from its fields: it also wants {parameter.name!r}")
    codecs: dict[str, Codec] = {}
    for attribute in attributes:
        try:
            codecs[attribute] = codec_for(hints[attribute])
        except TypeError as error:
            raise TypeError(f"{entity.__name__}.{attribute}: {error}") from None
    return codecs


def _attributes(entity: type[Any]) -> Iterable[str]:
    if issubclass(entity, msgspec.Struct):
        return entity.__struct_fields__
    if dataclasses.is_dataclass(entity):
        # What the class computes for itself is not stored.
        return (field.name for field in dataclasses.fields(entity) if field.init)
    raise TypeError(f"{entity.__name__} is neither a dataclass nor a msgspec.Struct")
