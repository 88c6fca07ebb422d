"""Functions that were quadratic: SQLite's answers, in bounded time."""

from __future__ import annotations

import time

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.backends.database.sqlite.functions import BoundedFunctions
from orama.domain.sql import SqlLimits
from orama.errors import TooLarge, Unprocessable
from support.sqlite import on_disk, open_sqlite, read, run

_TEXT = st.text("ab01 -\0é漢😀", max_size=12)
_VALUE = st.one_of(
    _TEXT,
    _TEXT.map(str.encode),
    st.binary(max_size=6),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.none(),
    st.text("abcdefghijklmnopqrstuvwxyzé漢😀0123456789", min_size=33, max_size=60),
)


def _outcome(connection, sql, arguments):
    try:
        return connection.execute(sql, arguments).fetchall()
    except (UnicodeDecodeError, apsw.Error) as error:
        return type(error)


@pytest.fixture(scope="module")
def connections():
    plain, bounded = apsw.Connection(":memory:"), apsw.Connection(":memory:")
    BoundedFunctions(bounded, lambda: None)
    yield plain, bounded
    plain.close()
    bounded.close()


@pytest.mark.parametrize("name", ["instr", "replace", "trim", "ltrim", "rtrim", "unhex"])
@given(arguments=st.tuples(_VALUE, _VALUE, _VALUE))
def test_answers_are_those_of_sqlite(connections, name, arguments):
    plain, bounded = connections
    arguments = arguments if name == "replace" else arguments[:2]
    places = ",".join("?" * len(arguments))
    sql = f"SELECT {name}({places}), typeof({name}({places}))"
    assert _outcome(bounded, sql, arguments * 2) == _outcome(plain, sql, arguments * 2)


@pytest.mark.parametrize("sql", ["SELECT trim(?1), ltrim(?1), rtrim(?1), unhex(?1)"])
@given(value=_VALUE)
def test_forms_with_one_argument_stay(connections, sql, value):
    plain, bounded = connections
    assert _outcome(bounded, sql, (value,)) == _outcome(plain, sql, (value,))


MANY = "".join(chr(0x4000 + number) for number in range(20_000))


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("instr(?1, ?2)", ("a" * 2_000_000, "a" * 1_000_000 + "b")),
        ("instr(?1, ?2)", (b"a" * 2_000_000, b"a" * 1_000_000 + b"b")),
        ("length(replace(?1, ?2, ''))", ("a" * 2_000_000, "a" * 1_000_000 + "b")),
        ("length(trim(?1, ?2))", ("é" * 100_000, MANY + "é")),
        ("length(ltrim(?1, ?2))", ("é" * 100_000, MANY + "é")),
        ("length(rtrim(?1, ?2))", ("é" * 100_000, MANY + "é")),
    ],
)
async def test_long_arguments_take_little_time(tmp_path, call, arguments):
    async with open_sqlite(tmp_path) as database:
        began = time.monotonic()
        await read(database, f"SELECT {', '.join([call] * 4)}", *arguments)
        assert time.monotonic() - began < 2.0


async def test_product_that_is_too_great_is_refused_at_once(tmp_path):
    async with open_sqlite(tmp_path) as database:
        began = time.monotonic()
        with pytest.raises(TooLarge, match=r"unhex\(\) of 400000 by 20001"):
            await read(database, "SELECT unhex(?1, ?2)", "-" * 400_000, MANY + "-")
        assert time.monotonic() - began < 1.0


async def test_many_long_calls_in_one_step_of_the_clock_are_stopped(tmp_path):
    async with open_sqlite(tmp_path, limits=SqlLimits(statement_timeout_s=0.2)) as database:
        calls = "+".join(["length(replace(?1, 'a', ?2))"] * 90)
        began = time.monotonic()
        with pytest.raises(Unprocessable) as refusal:
            await read(database, "SELECT " + ", ".join([f"{calls} AS n"] * 20), "a" * 1_000_000, "bb")
        assert refusal.value.reason == "statement_timeout"
        assert time.monotonic() - began < 2.0


async def test_replacement_past_the_longest_value_is_refused(tmp_path):
    async with open_sqlite(tmp_path) as database:
        with pytest.raises(TooLarge):
            await read(database, "SELECT replace(?1, 'a', ?2)", "a" * 1_000_000, "b" * 1_000_000)


async def test_database_that_used_sqlites_own_still_serves(tmp_path):
    async with open_sqlite(tmp_path) as database:
        await run(database, "CREATE TABLE t(a)")
    file = on_disk(tmp_path)
    file.execute(
        "CREATE TABLE g(a, b AS (replace(a, 'x', 'y')) STORED, c AS (trim(a, 'x')), CHECK (instr(a, 'x') > 0))"
    )
    file.execute("CREATE INDEX by_place ON g(instr(a, 'z'))")
    file.execute("INSERT INTO g(a) VALUES ('xzx')")
    file.close()
    async with open_sqlite(tmp_path) as database:
        await run(database, "INSERT INTO g(a) VALUES ('xxz')")
        with pytest.raises(Unprocessable):
            await run(database, "INSERT INTO g(a) VALUES ('q')")
        assert await read(database, "SELECT a, b, c FROM g INDEXED BY by_place WHERE instr(a, 'z') = 3") == [
            ("xxz", "yyz", "z")
        ]
        await run(database, "CREATE INDEX later ON g(trim(a, 'x'))")
    file = on_disk(tmp_path)
    assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    file.close()
