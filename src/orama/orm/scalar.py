"""The types that are one value of SQL; see `orama.orm.codec` for their forms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from orama.domain.sql import MAX_INTEGER, MIN_INTEGER, Value
from orama.orm.codec import Codec, kind_of, misfit
from orama.orm.mismatch import Unfit

_MIDNIGHT: Final = "T00:00:00Z"


def _exactly(kind: type) -> Callable[[Value], Any]:
    def read(value: Value) -> Any:
        if value.__class__ is kind:
            return value
        raise Unfit(kind_of(value))

    return read


def _text_with(parse: Callable[[str], Any], what: str) -> Callable[[Value], Any]:
    def read(value: Value) -> Any:
        if not isinstance(value, str):
            raise Unfit(kind_of(value))
        try:
            return parse(value)
        except (ValueError, OverflowError, InvalidOperation):
            raise Unfit(f"TEXT that is no {what}") from None

    return read


def _write_int(value: Any) -> Value:
    if not isinstance(value, int):
        raise misfit(value)
    if not MIN_INTEGER <= value <= MAX_INTEGER:
        raise Unfit("an int beyond 64 bits")
    return int(value)


def _write_float(value: Any) -> Value:
    if not isinstance(value, (int, float)):
        raise misfit(value)
    try:
        number = float(value)
    except OverflowError:
        raise Unfit("an int that no float is equal to") from None
    if number != value:
        raise Unfit("an int that no float is equal to" if isinstance(value, int) else "NaN, for which SQL has no value")
    return number


def _read_float(value: Value) -> Any:
    # A column without the affinity of REAL, or an engine that speaks JSON, gives 2.0 as 2.
    if value.__class__ is float:
        return value
    if isinstance(value, int) and float(value) == value:
        return float(value)
    raise Unfit(kind_of(value))


def _write_str(value: Any) -> Value:
    if not isinstance(value, str):
        raise misfit(value)
    return str.__str__(value)  # the text itself, of a member of a StrEnum as well


def _write_bytes(value: Any) -> Value:
    if not isinstance(value, bytes):
        raise misfit(value)
    return bytes(value)


def _write_bool(value: Any) -> Value:
    if not isinstance(value, bool):
        raise misfit(value)
    return int(value)


def _read_bool(value: Value) -> Any:
    if isinstance(value, int) and 0 <= value <= 1:
        return value == 1
    raise Unfit("an INTEGER beside 0 and 1" if isinstance(value, int) else kind_of(value))


def _write_datetime(value: Any) -> Value:
    if not isinstance(value, datetime):
        raise misfit(value)
    if value.utcoffset() is None:
        raise Unfit("a datetime without a time zone")
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        raise Unfit("a datetime beyond the years of UTC") from None
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _parse_datetime(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    # Without a zone, as CURRENT_TIMESTAMP writes it: SQLite's moments are in UTC.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _write_date(value: Any) -> Value:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise misfit(value)
    return value.isoformat()


def _parse_date(text: str) -> date:
    # The gateway renders a column declared DATE as a moment.
    return date.fromisoformat(text.removesuffix(_MIDNIGHT))


def _write_decimal(value: Any) -> Value:
    if not isinstance(value, Decimal):
        raise misfit(value)
    if not value.is_finite():
        raise Unfit("a Decimal that is no number")
    return str(value)


def _parse_decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    return value


def _read_decimal(value: Value) -> Any:
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        raise Unfit("REAL, which has lost digits: declare the column TEXT")
    return _read_decimal_text(value)


_read_decimal_text: Final = _text_with(_parse_decimal, "decimal number")


def _write_uuid(value: Any) -> Value:
    if not isinstance(value, UUID):
        raise misfit(value)
    return str(value)


# A subclass before what it is derived from: bool is an int, a datetime is a date.
SCALARS: Final[dict[type, Codec]] = {
    bool: Codec("bool", _write_bool, _read_bool),
    int: Codec("int", _write_int, _exactly(int)),
    float: Codec("float", _write_float, _read_float),
    str: Codec("str", _write_str, _exactly(str)),
    bytes: Codec("bytes", _write_bytes, _exactly(bytes)),
    datetime: Codec("datetime", _write_datetime, _text_with(_parse_datetime, "moment")),
    date: Codec("date", _write_date, _text_with(_parse_date, "date")),
    Decimal: Codec("Decimal", _write_decimal, _read_decimal, comparable=False),
    UUID: Codec("UUID", _write_uuid, _text_with(UUID, "UUID")),
}
