"""Pieces of SQL stay in their place, whatever they hold."""

from __future__ import annotations

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orama.domain.sql_expression import column, expression, group_term, name, order_term, table
from orama.errors import InvalidArgument

_pieces = st.sampled_from(
    [
        "a",
        "t.a",
        "1",
        "1.5",
        "0x1F",
        "x'00'",
        "'s'",
        "''",
        "'",
        '"',
        '"a"',
        "`",
        "`a`",
        "[",
        "]",
        "[a]",
        "(",
        ")",
        "()",
        ",",
        ";",
        "--",
        "-",
        "/*",
        "*/",
        "/",
        "*",
        "+",
        "||",
        "=",
        "<",
        ">",
        " ",
        "\n",
        "\x00",
        "?",
        "?1",
        ":a",
        "@a",
        "$a",
        "#",
        "SELECT",
        "FROM",
        "WHERE",
        "UNION",
        "ORDER BY",
        "LIMIT",
        "AND",
        "OR",
        "AS",
        "t",
        "secret",
        "IN",
        "NOT",
        "NULL",
        "CASE",
        "WHEN",
        "THEN",
        "END",
        "COUNT",
        "é",
        "\\",
        "{",
        "1e5",
        "1_000",
        ".",
        "!",
        "~",
        "%",
        "&",
        "|",
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        "a = 1",
        "u.id = p.user_id",
        "age BETWEEN 1 AND 2 OR name LIKE '%x%'",
        "x IN (1, 2, (SELECT max(y) FROM t))",
        "CASE WHEN a THEN 'b;--' ELSE \"c/*\" END",
        "json_extract(d, '$.a') ->> 'b'",
        "a - -1",
        "name COLLATE NOCASE = 'ä'",
        "[odd name] = `other`",
        "x'00ff' || 'it''s'",
    ],
)
def test_expression_stands_in_parentheses(text):
    assert expression(text) == f"({text})"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "1) OR (1",
        "1)",
        "(1",
        "a; DROP TABLE t",
        "a -- b",
        "a /* b",
        "a --",
        "'open",
        '"open',
        "[open",
        "?1 = 1",
        ":name",
        "@name",
        "$name",
        "a\x00b",
        "a { b",
        "a \\ b",
        "1) UNION SELECT * FROM secret --",
        "#1",
    ],
)
def test_text_that_could_leave_its_place_is_refused(text):
    for check in (expression, column, group_term, order_term):
        with pytest.raises(InvalidArgument):
            check(text)


def test_parameters_and_arguments_must_agree():
    assert expression("a > ? AND b = '?'", 1) == "(a > ? AND b = '?')"
    for count in (0, 2):
        with pytest.raises(InvalidArgument):
            expression("a > ? AND b = '?'", count)


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("id", '"id"'),
        (" u.name ", '"u"."name"'),
        ("order", '"order"'),
        ("*", "*"),
        ("u.*", '"u".*'),
        ("COUNT(*) AS n", '(COUNT(*)) AS "n"'),
        ("COUNT(*)", '(COUNT(*)) AS "COUNT(*)"'),
        ("u.id as [the id]", "(u.id) AS [the id]"),
        ("a || ' AS b'", "(a || ' AS b') AS \"a || ' AS b'\""),
    ],
)
def test_column(text, sql):
    assert column(text) == sql


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("name", '"name"'),
        ("name asc", '"name" ASC'),
        ("t.name DESC", '"t"."name" DESC'),
        ("name desc nulls last", '"name" DESC NULLS LAST'),
        ("name NULLS FIRST", '"name" NULLS FIRST'),
        ("COUNT(*) DESC", "(COUNT(*)) DESC"),
        ("name COLLATE NOCASE", "(name COLLATE NOCASE)"),
        ("desc", '"desc"'),
    ],
)
def test_order_term(text, sql):
    assert order_term(text) == sql


@pytest.mark.parametrize(
    ("text", "alias", "sql"),
    [
        ("users", None, '"users"'),
        ("main.users", None, '"main"."users"'),
        ("users", "u", '"users" AS "u"'),
        ("users u", None, '"users" AS "u"'),
        ("users AS u", None, '"users" AS "u"'),
        ("odd table name", None, '"odd table name"'),
        ('a" JOIN b', None, '"a"" JOIN b"'),
        ("t;DROP TABLE x", None, '"t;DROP TABLE x"'),
    ],
)
def test_table(text, alias, sql):
    assert table(text, alias) == sql


def test_names_are_quoted_whatever_they_hold():
    assert name('a"b; DROP') == '"a""b; DROP"'
    for bad in ("", "a.", ".a", "a..b", "a\0"):
        with pytest.raises(InvalidArgument):
            name(bad)


@settings(max_examples=600)
@given(
    st.lists(_pieces, min_size=1, max_size=10).map("".join),
    st.sampled_from(["where", "column", "order", "group", "on"]),
)
def test_no_text_changes_the_shape_of_the_statement(text, place):
    """SQLite compiles at most the one statement around the text, and what follows the text is still there."""
    try:
        sql = {
            "where": lambda: f"SELECT 1 FROM t WHERE {expression(text)} AND marker = 1",
            "column": lambda: f"SELECT {column(text)}, marker FROM t",
            "order": lambda: f"SELECT 1 FROM t ORDER BY {order_term(text)}, marker",
            "group": lambda: f"SELECT 1 FROM t GROUP BY {group_term(text)}, marker",
            "on": lambda: f"SELECT 1 FROM t JOIN t AS u ON {expression(text)} WHERE t.marker = 1",
        }[place]()
    except InvalidArgument:
        return
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t(a, marker); CREATE TABLE secret(s)").fetchall()
    reads, statements = [], []

    def note(action, first, second, *_):
        if action == apsw.SQLITE_READ:
            reads.append(second)
        return apsw.SQLITE_OK

    def trace(_cursor, statement, _bindings):
        statements.append(statement)
        return False

    connection.authorizer, connection.exec_trace = note, trace
    try:
        connection.execute(sql)
    except apsw.ExecTraceAbort:
        assert statements == [sql]
        assert "marker" in reads
    except apsw.Error:
        pass
    finally:
        connection.close()
