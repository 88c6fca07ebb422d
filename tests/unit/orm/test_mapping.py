"""Values go to SQL and come back as they were; what does not fit is an error that says where and why."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orama.domain.sql import MAX_INTEGER, MIN_INTEGER
from orama.errors import InvalidArgument
from orama.orm import RowMismatch, Table, ValueMismatch
from orama.orm.annotation import codec_for
from orama.orm.mapping import row_shape
from orama.orm.mismatch import Unfit
from support.shop import shop_in_loop
from support.sqlite import run

UserId = NewType("UserId", int)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    S = 1
    L = 2


class Mood(StrEnum):
    GLAD = "glad"


class Right(Flag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True, kw_only=True)
class Everything:
    """A field of each type, and of each that may be NULL."""

    id: int | None = None
    whole: int
    real: float
    text: str
    raw: bytes
    truth: bool
    moment: datetime
    day: date
    amount: Decimal
    uuid: UUID
    colour: Colour
    size: Size
    mood: Mood
    rights: Right
    choice: Literal["a", "b", 3]
    user: UserId
    noted: Annotated[str, "of no matter"]
    maybe_whole: int | None
    maybe_moment: datetime | None
    maybe_colour: Colour | None
    maybe_amount: Decimal | None


class Parcel(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="parcel"):
    """A struct: how it is called in JSON is of no matter here."""

    parcel_id: str
    weight_g: int | None
    sent: datetime


_texts = st.text(st.characters(exclude_categories=("Cs",)))
_whole = st.integers(MIN_INTEGER, MAX_INTEGER)
_zones = st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(timezone)
_moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=_zones)
_decimals = st.decimals(allow_nan=False, allow_infinity=False)
_everything = st.builds(
    Everything,
    id=st.none(),
    whole=_whole,
    real=st.floats(allow_nan=False),
    text=_texts,
    raw=st.binary(),
    truth=st.booleans(),
    moment=_moments,
    day=st.dates(),
    amount=_decimals,
    uuid=st.uuids(),
    colour=st.sampled_from(Colour),
    size=st.sampled_from(Size),
    mood=st.sampled_from(Mood),
    rights=st.sampled_from([Right(0), Right.READ, Right.WRITE, Right.READ | Right.WRITE]),
    choice=st.sampled_from(["a", "b", 3]),
    user=_whole,
    noted=_texts,
    maybe_whole=st.none() | _whole,
    maybe_moment=st.none() | _moments,
    maybe_colour=st.none() | st.sampled_from(Colour),
    maybe_amount=st.none() | _decimals,
)
_parcels = st.builds(Parcel, parcel_id=_texts, weight_g=st.none() | _whole, sent=_moments)


def exactly(value):
    """A value with its type, so that 1, 1.0 and True are three, and decimals differ by their digits."""
    return type(value), repr(value) if isinstance(value, (float, Decimal)) else value


def parts(entity, names):
    return [exactly(getattr(entity, one)) for one in names]


def test_an_entity_comes_back_as_it_was_saved(tmp_path):
    columns = "whole INTEGER, real REAL, text TEXT, raw BLOB, truth BOOLEAN, moment DATETIME, day DATE, amount TEXT, "
    columns += "uuid TEXT, colour TEXT, size INTEGER, mood TEXT, rights INTEGER, choice, user INTEGER, noted TEXT, "
    columns += "maybe_whole INTEGER, maybe_moment TIMESTAMP, maybe_colour TEXT, maybe_amount TEXT"
    table = Table(Everything, "everything", key=lambda one: one.id)
    names = [one.attribute for one in table.shape.fields if one.attribute != "id"]
    with shop_in_loop(tmp_path) as (run_in_loop, orm, database):
        run_in_loop(run(database, f"CREATE TABLE everything(id INTEGER PRIMARY KEY, {columns})"))
        rows = orm.repository(table)

        @settings(max_examples=60)
        @given(_everything)
        def check(entity):
            saved = run_in_loop(rows.save(entity))
            found = run_in_loop(rows.get(saved.id))
            assert parts(found, names) == parts(entity, names)
            assert found == saved

        check()


def test_a_struct_comes_back_by_the_names_of_its_attributes(tmp_path):
    table = Table(Parcel, "parcels", key=lambda one: one.parcel_id)
    with shop_in_loop(tmp_path) as (run_in_loop, orm, database):
        run_in_loop(run(database, "CREATE TABLE parcels(parcel_id TEXT PRIMARY KEY, weight_g INTEGER, sent TEXT)"))
        rows = orm.repository(table)

        @settings(max_examples=30)
        @given(_parcels)
        def check(parcel):
            assert run_in_loop(rows.save(parcel)) == parcel
            assert run_in_loop(rows.get(parcel.parcel_id)) == parcel

        check()


@given(_moments, st.timedeltas(timedelta(0), timedelta(seconds=2)) | st.sampled_from([timedelta(microseconds=1)]))
@example(datetime(2027, 1, 1, tzinfo=UTC), timedelta(microseconds=1))
@example(datetime(999, 12, 31, 23, 59, 59, tzinfo=UTC), timedelta(seconds=1))
def test_moments_are_sorted_in_sql_as_in_time(moment, later):
    write = codec_for(datetime).write
    assert (write(moment) < write(moment + later)) == (later > timedelta(0))


@pytest.mark.parametrize(
    ("hint", "value", "got"),
    [
        (int, 2**63, "an int beyond 64 bits"),
        (int, -(2**63) - 1, "an int beyond 64 bits"),
        (int, 1.0, "float"),
        (int, None, "None"),
        (float, float("nan"), "NaN, for which SQL has no value"),
        (float, 2**53 + 1, "an int that no float is equal to"),
        (float, 10**400, "an int that no float is equal to"),
        (float, "1", "str"),
        (str, b"x", "bytes"),
        (str, 1, "int"),
        (bytes, "x", "str"),
        (bool, 1, "int"),
        (datetime, datetime(2027, 1, 1), "a datetime without a time zone"),
        (datetime, datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "a datetime beyond the years of UTC"),
        (datetime, date(2027, 1, 1), "date"),
        (date, datetime(2027, 1, 1, tzinfo=UTC), "datetime"),
        (Decimal, Decimal("NaN"), "a Decimal that is no number"),
        (Decimal, Decimal("-Infinity"), "a Decimal that is no number"),
        (Decimal, 1, "int"),
        (UUID, "1", "str"),
        (Colour, "red", "str"),
        (Literal["a", 1], "b", "str that is not 'a' or 1"),
        (Literal["a", 1], True, "bool"),
        (int | None, "1", "str"),
    ],
)
def test_a_value_that_cannot_be_stored_exactly_is_refused(hint, value, got):
    with pytest.raises(Unfit) as refusal:
        codec_for(hint).write(value)
    assert refusal.value.got == got


@pytest.mark.parametrize(
    ("hint", "value", "got"),
    [
        (int, None, "NULL"),
        (int, "1", "TEXT"),
        (int, 1.0, "REAL"),
        (float, "1", "TEXT"),
        (float, 2**53 + 1, "INTEGER"),
        (str, b"x", "BLOB"),
        (bytes, "x", "TEXT"),
        (bool, 2, "an INTEGER beside 0 and 1"),
        (bool, "true", "TEXT"),
        (datetime, 1_800_000_000, "INTEGER"),
        (datetime, "yesterday", "TEXT that is no moment"),
        (datetime, "0001-01-01T00:00:00+01:00", "TEXT that is no moment"),
        (date, "2027-02-30", "TEXT that is no date"),
        (date, "2027-01-01T08:00:00Z", "TEXT that is no date"),
        (Decimal, 1.5, "REAL, which has lost digits: declare the column TEXT"),
        (Decimal, "1,5", "TEXT that is no decimal number"),
        (Decimal, "NaN", "TEXT that is no decimal number"),
        (UUID, "x", "TEXT that is no UUID"),
        (Colour, "green", "TEXT that is no Colour"),
        (Colour, 1, "INTEGER"),
        (Size, 3, "INTEGER that is no Size"),
        (Literal["a"], "b", "TEXT that is not 'a'"),
        (Literal["a"], 1.5, "REAL"),
        (Literal["a"], None, "NULL"),
        (datetime | None, "x", "TEXT that is no moment"),
    ],
)
def test_a_row_of_another_type_is_refused(hint, value, got):
    with pytest.raises(Unfit) as refusal:
        codec_for(hint).read(value)
    assert refusal.value.got == got


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (float, 2, 2.0),
        (datetime, "2027-01-15 08:00:00", datetime(2027, 1, 15, 8, tzinfo=UTC)),
        (datetime, "2027-01-15T08:00:00.25+01:00", datetime(2027, 1, 15, 7, 0, 0, 250_000, tzinfo=UTC)),
        (datetime, "2027-01-15", datetime(2027, 1, 15, tzinfo=UTC)),
        (date, "2027-01-15T00:00:00Z", date(2027, 1, 15)),
        (Decimal, 12, Decimal(12)),
        (Decimal | None, None, None),
        (Literal["a", None], None, None),  # noqa: PYI061  (either form may be written)
    ],
)
def test_what_others_write_is_read_where_it_has_one_meaning(hint, value, expected):
    found = codec_for(hint).read(value)
    assert exactly(found) == exactly(expected)


class Mixed(Enum):
    A = 1.5


@pytest.mark.parametrize(
    "hint",
    [
        list[str],
        dict,
        int | str,
        int | str | None,
        Any,
        object,
        Mixed,
        Literal[b"x"],
        Literal[True],
        timedelta,
    ],
)
def test_a_type_without_a_form_in_sql_is_refused_when_the_table_is_declared(hint):
    made = msgspec.defstruct("Made", [("id", int), ("other", hint)])
    with pytest.raises(TypeError, match=r"^Made\.other: .* form in SQL"):
        Table(made, "made", key=lambda one: one.id)


def test_an_error_of_a_row_names_table_column_expected_and_got():
    shape = row_shape(Parcel)
    with pytest.raises(RowMismatch) as mismatch:
        shape.read(["secret", "secret", "2027-01-15"])
    error = mismatch.value
    assert (error.table, error.column, error.expected, error.got) == ("Parcel", "weight_g", "int or NULL", "TEXT")
    assert error.text == "Parcel.weight_g: the row holds TEXT where int or NULL is expected"
    assert (error.code.label, error.reason) == ("UNPROCESSABLE", "row_mismatch")
    assert "secret" not in f"{error.text}{error.details}"


def test_an_error_of_a_value_names_table_column_expected_and_got():
    shape = row_shape(Parcel)
    with pytest.raises(ValueMismatch) as mismatch:
        shape.write(Parcel(parcel_id="a", weight_g=2**63, sent=datetime(2027, 1, 1, tzinfo=UTC)))
    error = mismatch.value
    assert error.details == {
        "table": "Parcel",
        "column": "weight_g",
        "expected": "int or NULL",
        "got": "an int beyond 64 bits",
    }
    assert (error.code.label, error.reason) == ("INVALID_ARGUMENT", "value_mismatch")


@dataclass
class Computed:
    """`area` is the class's own business, and no column."""

    width: int
    height: int = 2
    area: int = field(init=False)

    def __post_init__(self):
        self.area = self.width * self.height


@dataclass
class Unmakeable:
    id: int
    given: InitVar[int]


class Plain:
    id: int


class Empty(msgspec.Struct):
    pass


@dataclass
class Unknown:
    id: Nowhere  # noqa: F821


def test_what_a_class_computes_is_no_column():
    shape = row_shape(Computed)
    assert [one.attribute for one in shape.fields] == ["width", "height"]
    assert shape.read([3, 4]) == Computed(3, 4)
    assert shape.replaced(Computed(3, 4), {"width": 5}).area == 20


@pytest.mark.parametrize(
    ("entity", "text"),
    [
        (Unmakeable, "it also wants 'given'"),
        (Plain, "neither a dataclass nor"),
        (Empty, "has no fields"),
        (Unknown, "not known at run time: name 'Nowhere'"),
    ],
)
def test_a_class_that_cannot_be_rows_is_refused(entity, text):
    with pytest.raises(TypeError, match=text):
        row_shape(entity)


def declare(**changes):
    options = {"entity": Parcel, "name": "parcels", "key": lambda one: one.parcel_id, **changes}
    return Table(**options)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"key": lambda one: one.nothing}, "Parcel has no field 'nothing': it has parcel_id, weight_g, sent"),
        ({"key": lambda one: "parcel_id"}, "only names fields of Parcel"),
        ({"key": lambda one: ()}, "only names fields of Parcel"),
        ({"key": lambda one: (one.parcel_id, 1)}, "only names fields of Parcel"),
        ({"key": lambda one: one.weight_g + 1}, "unsupported operand"),
        ({"key": lambda one: (one.parcel_id, one.weight_g)}, "only a key of one int may be None"),
        ({"version": lambda one: one.weight_g}, "the version is a field of its own, declared int"),
        ({"version": lambda one: one.parcel_id}, "the version is a field of its own, declared int"),
        ({"columns": lambda one: [("sent", "x")]}, "give pairs of a field"),
        ({"columns": lambda one: [(one.sent, "WEIGHT_G")]}, "two fields have one column"),
    ],
)
def test_a_table_declared_wrongly_is_refused(changes, text):
    with pytest.raises(TypeError, match=text):
        declare(**changes)


@pytest.mark.parametrize("changes", [{"name": ""}, {"name": "a\0"}, {"columns": lambda one: [(one.sent, "")]}])
def test_a_name_that_cannot_be_quoted_is_refused(changes):
    with pytest.raises(InvalidArgument, match="invalid name"):
        declare(**changes)


def test_a_column_is_one_field():
    with pytest.raises(TypeError, match="a column is one field"):
        declare().column(lambda one: (one.parcel_id, one.sent))
