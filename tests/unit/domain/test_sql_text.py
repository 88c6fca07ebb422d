from __future__ import annotations

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.sql_text import MAX_SHAPE_LENGTH, first_keyword, is_blank, shape

_pieces = st.sampled_from(
    [
        " ",
        "\n",
        "\t",
        "\r",
        "\x0c",
        "\x0b",
        "/*",
        "*/",
        "/",
        "*",
        "--",
        "-",
        ";",
        "'",
        "\x00",
        "\ufeff",
        "é",
        "1",
        "(",
        "_",
        "SELECT",
        "select",
        "PRAGMA",
        "x",
        "user_version",
    ]
)


@pytest.mark.parametrize(
    ("sql", "keyword"),
    [
        ("SELECT 1", "select"),
        (" \n\t/* a */-- b\nInsert into", "insert"),
        ("/* */ ; PRAGMA x; /* */ SELECT 1", ""),
        ("/* a */ PRAGMA x /* b */ SELECT", "pragma"),
        ("-- SELECT", ""),
        ("/* SELECT", ""),
        ("/*/ SELECT 1 */ DROP", "drop"),
        ("selectx 1", "selectx"),
        ("select_ 1", ""),
        ("select1", ""),
        ("sélect", ""),
        ("(SELECT 1)", ""),
        ("", ""),
    ],
)
def test_first_keyword_is_the_first_word_that_sqlite_sees(sql, keyword):
    assert first_keyword(sql) == keyword


@pytest.mark.parametrize("sql", ["", " \n;;", "-- x", "/* x */ ; -- y\n", "/* open", ";/* * / */;"])
def test_blank_text_holds_no_statement(sql):
    assert is_blank(sql)


@pytest.mark.parametrize("sql", ["x", "/* a */ x /* b */", "-- a\nx", ";x", "- -", "/ *"])
def test_text_with_anything_else_is_not_blank(sql):
    assert not is_blank(sql)


@given(st.lists(_pieces, max_size=12).map("".join))
def test_never_takes_a_pragma_for_something_else(sql):
    """Whatever SQLite runs first as PRAGMA is seen as PRAGMA, or as nothing that is admitted."""
    actions = []

    def note(action, *_):
        actions.append(action)
        return apsw.SQLITE_DENY

    connection = apsw.Connection(":memory:")
    connection.authorizer = note
    try:
        connection.execute(sql)
    except (apsw.Error, ValueError):
        pass
    finally:
        connection.close()
    if actions and actions[0] == apsw.SQLITE_PRAGMA:
        assert first_keyword(sql) in ("pragma", "")
    if actions:
        assert not is_blank(sql)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT  *\n FROM t WHERE a='it''s' AND b = 12.5e+3 -- why\n", "SELECT * FROM t WHERE a=? AND b = ?"),
        ("SELECT a FROM t WHERE a IN (1,2 , 3,'4') ;", "SELECT a FROM t WHERE a IN (?, …)"),
        ("INSERT INTO t(a,b) VALUES (1,'x'),(2, ?), (3, x'ab')", "INSERT INTO t(a, b) VALUES (?, …), …"),
        ("INSERT INTO t VALUES (?), (?)", "INSERT INTO t VALUES (?), …"),
        ('SELECT "name", [c], `d` FROM t1', 'SELECT "name", [c], `d` FROM t1'),
        ('SELECT "two words", [it\'s], `a``b`, "a""b"', 'SELECT "?", "?", "?", "?"'),
        ("SELECT :a + @b + $c::d(e) + ?1 + ? + 0x1F + .5 + 1_000", "SELECT ? + ? + ? + ? + ? + ? + ? + ?"),
        ("SELECT t1.col2 -> '$.a' FROM /* x */ t1 LIMIT 10 OFFSET -5", "SELECT t1.col2 -> ? FROM t1 LIMIT ? OFFSET -?"),
        ("UPDATE t SET a = 'open", "UPDATE t SET a = ?"),
        ('UPDATE t SET a = "open', 'UPDATE t SET a = "?"'),
        ("SELECT größe, 'ö' /* open", "SELECT größe, ?"),
        ("", ""),
    ],
)
def test_shape_has_what_a_statement_does_and_not_what_it_says(sql, expected):
    assert shape(sql) == expected
    assert shape(shape(sql)) == expected


def test_shape_is_short_and_says_where_it_was_cut():
    names = ", ".join(f"column{number}" for number in range(100))
    assert shape(f"SELECT {names}") == f"SELECT {names}"[: MAX_SHAPE_LENGTH - 1] + "…"
    assert shape("SELECT 1" + " " * 100_000 + "+ 1") == "SELECT ?…"
    assert len(shape("(" * 100_000)) == MAX_SHAPE_LENGTH


SECRET = "hunter2"
_values = st.sampled_from(
    [
        f"'{SECRET}'",
        f"'it''s {SECRET}'",
        f"'{SECRET}'' -- '",
        f"'/* {SECRET}'",
        f"'\" {SECRET}'",
        f"'--\n{SECRET}'",
        f"'[{SECRET}'",
        f"x'{SECRET}'",
        f"X'{SECRET}'",
        f"-- {SECRET} ' \"\n",
        f"/* {SECRET} '*/",
        f"/* -- {SECRET} * / ' */",
        f'"no {SECRET}"',
        f'"a""{SECRET}"',
        f"`{SECRET} ' `",
        f"[{SECRET} ' ]",
        f":{SECRET}",
        f"$a::b({SECRET})",
        f"0x{SECRET}",
    ]
)
_harmless = st.sampled_from(
    ["SELECT", " ", ",", "(", ")", "a", "x ", "1", ".", "'b'", '"c"', "=", "-", "/", "--\n", ";", "\t", "é"]
)


@given(st.lists(_values | _harmless, max_size=12), st.integers(0, 200))
def test_no_literal_comment_or_odd_name_is_in_the_shape(parts, end):
    sql = " ".join(parts)
    assert SECRET not in shape(sql)
    assert SECRET not in shape(sql[:end])


_fragments = st.sampled_from(
    [
        "'",
        "''",
        '"',
        "`",
        "[",
        "]",
        "--",
        "\n",
        "/*",
        "*/",
        "x",
        "1",
        " ",
        ",",
        "||",
        "(",
        ")",
        SECRET,
        "AS",
        "e+",
        "\ufeff",
    ]
)


@given(st.lists(_fragments, max_size=14).map("".join))
def test_what_sqlite_takes_for_a_value_is_not_in_the_shape(fragments):
    """SQLite itself says whether the word stood in a literal: then it comes back as a value, or as part of one."""
    connection = apsw.Connection(":memory:")
    sql = f"SELECT {fragments}"
    try:
        values = [value for row in connection.execute(sql) for value in row]
    except (apsw.Error, ValueError):
        values = []
    finally:
        connection.close()
    if sql.count(SECRET) == 1 and any(isinstance(value, str) and SECRET in value for value in values):
        assert SECRET not in shape(sql)
