"""``/v1/rqlite`` as existing clients use it (wire §9, decisions 3 and 9)."""

from __future__ import annotations

import asyncio
import base64

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def define(caller, sql):
    return await caller.ok("/v1/rqlite/create-table", {"schema": sql}, status=201)


@pytest.fixture(scope="module")
def people():
    """A table of a name that no other test has, with three rows."""
    names = (f"people{number}" for number in range(1_000_000))

    async def make(caller):
        table = next(names)
        await define(caller, f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, Team TEXT)")
        for row in (("Ann", 31, "red"), ("Bob", 25, "blue"), ("Cyd", None, "red")):
            await caller.exec(f"INSERT INTO {table} (name, age, Team) VALUES (?, ?, ?)", *row)
        return table

    return make


async def test_create_table_answers_201_and_schema_lists_it(owner):
    assert await define(owner, "CREATE TABLE zebra (id INTEGER)") == {"status": "ok"}
    await define(owner, "CREATE VIEW aardvark AS SELECT id FROM zebra")
    answer = (await owner.get("/v1/rqlite/schema")).json()
    assert set(answer) == {"tables", "count"}
    assert answer["count"] == len(answer["tables"])
    names = [table["name"] for table in answer["tables"]]
    assert names == sorted(names)
    found = {table["name"]: table for table in answer["tables"]}
    assert found["zebra"] == {"name": "zebra", "type": "table", "sql": "CREATE TABLE zebra (id INTEGER)"}
    assert found["aardvark"]["type"] == "view"
    assert not [name for name in names if name.startswith(("sqlite_", "_orama"))]


async def test_exec_answers_with_rows_and_the_id_of_the_insert(owner):
    await define(owner, "CREATE TABLE counted (id INTEGER PRIMARY KEY, n INTEGER)")
    first = await owner.exec("INSERT INTO counted (n) VALUES (?), (?)", 1, 2)
    assert first == {"rows_affected": 2, "last_insert_id": 2, "execution_state": "ok"}
    assert (await owner.exec("UPDATE counted SET n = n + 1"))["rows_affected"] == 2
    assert (await owner.exec("DELETE FROM counted WHERE id = 99"))["rows_affected"] == 0


async def test_query_answers_rows_as_objects_and_as_lists(owner, people):
    table = await people(owner)
    answer = await owner.ok("/v1/rqlite/query", {"sql": f"SELECT name AS Who, age FROM {table} ORDER BY id LIMIT 2"})
    assert answer == {
        "items": [{"Who": "Ann", "age": 31}, {"Who": "Bob", "age": 25}],
        "count": 2,
        "columns": ["Who", "age"],
        "rows": [["Ann", 31], ["Bob", 25]],
    }
    none = await owner.ok("/v1/rqlite/query", {"sql": f"SELECT name FROM {table} WHERE 0"})
    assert none == {"items": [], "count": 0, "columns": ["name"], "rows": []}


async def test_values_are_rendered_by_kind_and_declared_type(owner):
    await define(
        owner,
        "CREATE TABLE kinds (i INTEGER, r REAL, t TEXT, b BLOB, n TEXT, yes BOOLEAN, no BOOLEAN, d DATE, dt DATETIME, ts TIMESTAMP)",
    )
    await owner.exec(
        "INSERT INTO kinds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *(7, 1.5, "text", {"blob": base64.b64encode(b"\x00\xff").decode()}, None, True, False),
        *("2024-01-02", "2024-01-02 03:04:05", 1704164645),
    )
    (row,) = (await owner.ok("/v1/rqlite/query", {"sql": "SELECT * FROM kinds"}))["items"]
    assert row == {
        "i": 7,
        "r": 1.5,
        "t": "text",
        "b": base64.b64encode(b"\x00\xff").decode(),
        "n": None,
        "yes": True,
        "no": False,
        "d": "2024-01-02T00:00:00Z",
        "dt": "2024-01-02T03:04:05Z",
        "ts": "2024-01-02T03:04:05Z",
    }
    ((now,),) = await owner.rows("SELECT CURRENT_TIMESTAMP")
    assert "T" not in now, "an expression has no declared type and stays text"


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, -(2**63), 1.0, 3.0, 0.1])
async def test_numbers_keep_their_value_and_integral_ones_become_integers(owner, number):
    ((value, kind),) = await owner.rows("SELECT ?1, typeof(?1)", number)
    assert value == number
    assert kind == ("integer" if float(number).is_integer() else "real")


async def test_query_cannot_write(owner, people):
    table = await people(owner)
    for sql in (f"DELETE FROM {table}", f"INSERT INTO {table} (name) VALUES ('x') RETURNING id", f"DROP TABLE {table}"):
        reply = await owner.post("/v1/rqlite/query", {"sql": sql})
        assert 400 <= reply.status_code < 429, reply.text
    assert len(await owner.rows(f"SELECT * FROM {table}")) == 3


async def test_find_lists_by_criteria_with_options_at_either_level(owner, people):
    table = await people(owner)

    async def find(**body):
        return (await owner.ok("/v1/rqlite/find", {"table": table, **body}))["items"]

    assert [row["name"] for row in await find(criteria={"Team": "red"}, order_by=["name DESC"])] == ["Cyd", "Ann"]
    assert await find(criteria={"age": None}, select=["name"]) == [{"name": "Cyd"}], "null finds NULL"
    assert [row["name"] for row in await find(options={"order_by": ["id"], "limit": 1, "offset": 1})] == ["Bob"]
    nested = await find(limit=1, options={"order_by": ["id"], "limit": 2})
    assert len(nested) == 2, "nested options win as a whole"
    assert len(await find(options={}, limit=1)) == 1
    assert len(await find(offset=1)) == 2, "an offset needs no limit"
    assert len(await find()) == 3
    assert await find(select=["Team", "count(*) AS n"], group_by=["Team"], order_by=["n DESC"]) == [
        {"Team": "red", "n": 2},
        {"Team": "blue", "n": 1},
    ]


async def test_find_one_answers_the_bare_row_or_404(owner, people):
    table = await people(owner)
    row = await owner.ok("/v1/rqlite/find-one", {"table": table, "criteria": {"name": "Bob"}})
    assert row == {"id": 2, "name": "Bob", "age": 25, "Team": "blue"}
    body = await owner.refused("/v1/rqlite/find-one", {"table": table, "criteria": {"name": "Dan"}}, 404)
    assert body["error"] == "not found"
    await owner.ok("/v1/rqlite/find-one", {"table": table, "limit": 5})


async def test_select_joins_of_every_kind(owner, people):
    table = await people(owner)
    await define(owner, f"CREATE TABLE {table}_teams (team TEXT, motto TEXT)")
    await owner.exec(f"INSERT INTO {table}_teams VALUES ('red', 'go'), ('green', 'grow')")
    counts = {"INNER": 2, "": 2, "JOIN": 2, "left": 3, "LEFT OUTER": 3, "RIGHT": 3, "FULL": 4, "CROSS": 6}
    for kind, count in counts.items():
        join = {"kind": kind, "table": f"{table}_teams t", "on": "" if kind == "CROSS" else "p.Team = t.team"}
        answer = await owner.ok("/v1/rqlite/select", {"table": table, "alias": "p", "joins": [join]})
        assert answer["count"] == count, kind
    body = {"table": table, "joins": [{"kind": "NATURAL", "table": "t", "on": "1"}]}
    await owner.refused("/v1/rqlite/select", body, 400, "'kind' of a join")


async def test_select_by_where_terms_with_arguments(owner, people):
    table = await people(owner)
    answer = await owner.ok(
        "/v1/rqlite/select",
        {
            "table": table,
            "select": ["name", "age + 1 AS next"],
            "where": [
                {"expr": "age > ?", "args": [30]},
                {"conj": "or", "expr": "name IN (?, ?)", "args": ["Cyd", "Dan"]},
            ],
            "order_by": ["name"],
            "limit": 10,
        },
    )
    assert answer["items"] == [{"name": "Ann", "next": 32}, {"name": "Cyd", "next": None}]


async def test_select_one_answers_the_row_and_the_row_in_items(owner, people):
    table = await people(owner)
    row = {"id": 1, "name": "Ann", "age": 31, "Team": "red"}
    answer = await owner.ok("/v1/rqlite/select", {"table": table, "order_by": ["id"], "one": True})
    assert answer == {**row, "items": [row]}
    counted = await owner.ok("/v1/rqlite/select", {"table": table, "select": ["COUNT(*) AS count"], "one": True})
    assert (counted["count"], counted["items"]) == (3, [{"count": 3}])
    named = await owner.ok("/v1/rqlite/select", {"table": table, "select": ["name AS items"], "one": True})
    assert named == {"items": "Ann"}, "a real column of that name wins"
    await owner.refused("/v1/rqlite/select", {"table": table, "where": [{"expr": "0"}], "one": True}, 404, "not found")


async def test_transaction_answers_a_result_for_each_step(owner, people):
    table = await people(owner)
    ops = [
        {"kind": "exec", "sql": f"INSERT INTO {table} (name) VALUES (?)", "args": ["Dan"]},
        {"kind": "query", "sql": f"SELECT name FROM {table} WHERE id > ?", "args": [3]},
        {"kind": "query", "sql": f"SELECT name FROM {table} WHERE 0"},
        {"sql": f"DELETE FROM {table} WHERE id = 1"},
    ]
    answer = await owner.ok("/v1/rqlite/transaction", {"ops": ops, "return_results": True, "stop_on_error": True})
    assert answer == {
        "status": "ok",
        "results": [{"rows_affected": 1, "last_insert_id": 4}, [{"name": "Dan"}], [], {"rows_affected": 1, "last_insert_id": 0}],
    }  # fmt: skip
    assert await owner.ok("/v1/rqlite/transaction", {"ops": ops[1:2]}) == {"status": "ok"}
    statements = {"statements": [f"DELETE FROM {table}", f"INSERT INTO {table} (name) VALUES ('Eve')"]}
    assert await owner.ok("/v1/rqlite/transaction", statements) == {"status": "ok"}
    assert [row[1] for row in await owner.rows(f"SELECT * FROM {table}")] == ["Eve"]


async def test_transaction_is_all_or_nothing(owner, people):
    table = await people(owner)
    insert = {"kind": "exec", "sql": f"INSERT INTO {table} (id, name) VALUES (?, ?)", "args": [50, "Zed"]}
    for last in (insert, {"sql": "SELECT nonsense"}, {"sql": f"UPDATE {table} SET id = 1"}):
        body = await owner.refused("/v1/rqlite/transaction", {"ops": [insert, last]}, 422)
        assert body["retryable"] is False
    missed = {"sql": f"UPDATE {table} SET age = 1 WHERE id = 99", "expect_rows": 1}
    await owner.refused("/v1/rqlite/transaction", {"ops": [insert, missed]}, 412)
    assert await owner.rows(f"SELECT count(*) FROM {table}") == [[3]]
    for nothing in ({}, {"ops": []}, {"ops": None, "statements": []}):
        await owner.refused("/v1/rqlite/transaction", nothing, 400, "'ops' or 'statements'")


async def test_transactions_of_many_callers_do_not_undo_each_other(owner):
    await define(owner, "CREATE TABLE ledger (id INTEGER PRIMARY KEY, amount INTEGER CHECK (amount < 100))")

    async def transfer(number):
        good = {"sql": "INSERT INTO ledger (amount) VALUES (?)", "args": [number]}
        bad = {"sql": "INSERT INTO ledger (amount) VALUES (100)"}
        reply = await owner.post("/v1/rqlite/transaction", {"ops": [good, bad] if number % 2 else [good]})
        return reply.status_code

    assert await asyncio.gather(*map(transfer, range(40))) == [200, 422] * 20
    assert await owner.rows("SELECT count(*), sum(amount) FROM ledger") == [[20, sum(range(0, 40, 2))]]


async def test_drop_table_wants_a_plain_name_of_a_table_that_exists(owner):
    await define(owner, "CREATE TABLE doomed (id INTEGER)")
    assert await owner.ok("/v1/rqlite/drop-table", {"table": "doomed"}) == {"status": "ok"}
    await owner.refused("/v1/rqlite/drop-table", {"table": "doomed"}, 404, "no such table")
    for name in ("", "a b", "a;b", 'a"b', "1a", "a.b", "täble"):
        await owner.refused("/v1/rqlite/drop-table", {"table": name}, 400, "invalid table identifier")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("query", {"sql": "SELEC 1"}, 403),
        ("query", {"sql": "SELECT * FROM nowhere"}, 422),
        ("query", {"sql": "SELECT 1; SELECT 2"}, 400),
        ("query", {"sql": "SELECT ?"}, 400),
        ("query", {}, 400),
        ("exec", {"sql": "INSERT INTO nowhere VALUES (1)"}, 422),
        ("exec", {"sql": "PRAGMA user_version = 5"}, 403),
        ("exec", {"sql": "ATTACH 'x' AS y"}, 403),
        ("create-table", {"schema": "SELECT 1"}, 400),
        ("create-table", {"schema": "CREATE TABLE"}, 422),
        ("create-table", {"schema": "CREATE TEMP TABLE t (a)"}, 403),
        ("find", {}, 400),
        ("find", {"table": "nowhere"}, 422),
        ("find-one", {"table": "nowhere"}, 422),
        ("select", {"table": "nowhere"}, 422),
        ("transaction", {"ops": [{"kind": "nonsense", "sql": "SELECT 1"}]}, 400),
    ],
)  # fmt: skip
async def test_mistakes_in_sql_are_the_callers_and_not_worth_a_retry(owner, path, body, status):
    reply = await owner.post(f"/v1/rqlite/{path}", body)
    assert reply.status_code == status, reply.text
    assert reply.json()["retryable"] is False


async def test_constraint_that_fails_is_422_with_a_reason(owner):
    await define(owner, "CREATE TABLE strict_one (id INTEGER PRIMARY KEY, email TEXT UNIQUE)")
    await owner.exec("INSERT INTO strict_one VALUES (1, 'a@example')")
    for sql in ("INSERT INTO strict_one VALUES (1, 'b')", "INSERT INTO strict_one VALUES (2, 'a@example')"):
        body = await owner.refused("/v1/rqlite/exec", {"sql": sql}, 422, "UNIQUE constraint failed")
        assert body["reason"] == "constraint"


async def test_json_names_match_as_written(owner):
    await owner.refused("/v1/rqlite/query", {"SQL": "SELECT 1"}, 400, "'sql' is required")
