"""Where one statement of a file ends and the next begins."""

from __future__ import annotations

import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orama.orm.script import ScriptStatement, split_statements


def texts(script):
    return [one.sql for one in split_statements(script)]


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("", []),
        (" ;; \n; -- nothing", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';'; SELECT 2", ["SELECT ';'", "SELECT 2"]),
        ("SELECT 'it''s; fine'; SELECT 2", ["SELECT 'it''s; fine'", "SELECT 2"]),
        ('SELECT "a;""b"; SELECT `a;b`; SELECT [a;b]', ['SELECT "a;""b"', "SELECT `a;b`", "SELECT [a;b]"]),
        ("SELECT 1 -- one; two\n; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1 /* one; -- ' */ + 1; SELECT 2", ["SELECT 1   + 1", "SELECT 2"]),
        ("SELECT 1/2-1; SELECT '--'; SELECT '/*'", ["SELECT 1/2-1", "SELECT '--'", "SELECT '/*'"]),
        ("-- it's\nSELECT 1", ["SELECT 1"]),
        ("SELECT 1 -- the last line has no end", ["SELECT 1"]),
        ("SELECT 1; SELECT 2 -- the last line; has no end", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1 /* nor this */", ["SELECT 1"]),
    ],
)
def test_statements_end_at_a_semicolon_outside_quotes_and_comments(script, statements):
    assert texts(script) == statements


@pytest.mark.parametrize("script", ["SELECT 'a; SELECT 2;", 'SELECT "a;', "SELECT `a", "SELECT [a", "SELECT 1 /* a;"])
def test_what_does_not_end_is_an_error(script):
    with pytest.raises(ValueError, match="does not end"):
        split_statements(script)


def test_error_says_on_which_line_it_begins():
    with pytest.raises(ValueError, match="line 3: ' does not end"):
        split_statements("SELECT 1;\n\nSELECT 'open;\n")


def test_each_statement_knows_the_line_it_begins_on():
    script = "-- a comment\n\nCREATE TABLE a (\n  x\n);\n\n/* two\nlines */ SELECT 1; SELECT 2;\n\nSELECT 3"
    assert split_statements(script) == [
        ScriptStatement("CREATE TABLE a (\n  x\n)", 3),
        ScriptStatement("SELECT 1", 8),
        ScriptStatement("SELECT 2", 8),
        ScriptStatement("SELECT 3", 10),
    ]


@pytest.mark.parametrize("kind", ["TRIGGER", "temp trigger", "/* x */ TEMPORARY\nTRIGGER IF NOT EXISTS"])
def test_body_of_a_trigger_belongs_to_it(kind):
    body = f"CREATE {kind} t AFTER INSERT ON a BEGIN UPDATE a SET x = CASE x WHEN 1 THEN 2 END; SELECT 1; END"
    first, second = texts(f"{body};\nSELECT 1;")
    assert (first.split(), second) == (body.replace("/* x */", "").split(), "SELECT 1")
    assert texts(f"CREATE TABLE trigger_end (x); {body}")[0] == "CREATE TABLE trigger_end (x)"
    assert len(texts(body.removesuffix("END") + "; SELECT 2")) == 1, "it never ends"


def test_long_script_takes_time_in_proportion():
    """A megabyte of each hard case: were one quadratic, the test would end by its time limit."""
    for part in (
        "SELECT 1; ",
        "'a''b' ",
        "/* x */ ",
        "-- x\n",
        "[a] ",
        "CREATE TRIGGER t BEGIN SELECT 1; ",
        "- / é",
        ";",
    ):
        split_statements(part * (1_000_000 // len(part)))
    for part in ("'", "/*", "[", "SELECT 1 /* "):
        with pytest.raises(ValueError, match="does not end"):
            split_statements("a" * 500_000 + part + "b" * 500_000)


@given(st.lists(st.sampled_from(["SELECT 1", "'a;b'", '"c"', "--;\n", "/*;*/", "[x;]", " ", "''", "-", "/", "`;`"])))
def test_sqlite_agrees_that_each_statement_is_complete_and_no_more(parts):
    for statement in texts(" ".join(parts)):
        assert sqlite3.complete_statement(statement + ";")
        assert not sqlite3.complete_statement(statement)


@given(
    st.lists(st.sampled_from(["a", "b ", "--c", "--;", "\n", "/*d*/", ";", "'e;'", '"f"', "[g]", " ", "h;", "-", "/ "]))
)
def test_nothing_but_space_comments_and_semicolons_is_lost(parts):
    script = "".join(parts)
    plain = re.sub(r"--[^\n]*|/\*.*?\*/|('[^']*'|\"[^\"]*\"|\[[^\]]*\])", lambda found: found[1] or "", script)
    assert re.sub(r"[\s;]", "", "".join(texts(script))) == re.sub(r"[\s;]", "", plain)


_PARTS = [
    *("CREATE", "TEMP", "TRIGGER", "TABLE", "t", "BEGIN", "END", "SELECT 1", "CASE", "';'", '"END"', "/*;*/", "--;\n"),
    *(";", "; ", ";END;", "; END ;"),
]


@given(st.lists(st.sampled_from(_PARTS), max_size=14).map(" ".join))
def test_sqlite_agrees_where_triggers_end(script):
    """Each statement but the last, which may never end, is what SQLite's shell would wait for."""
    for statement in texts(script)[:-1]:
        assert sqlite3.complete_statement(statement + ";")
