from __future__ import annotations

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.domain.sql_text import first_keyword, is_blank

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
