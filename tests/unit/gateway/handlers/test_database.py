"""The replies of ``/v1/rqlite``, byte for byte."""

from __future__ import annotations

import msgspec
import pytest

from orama.domain.identity import Method, Principal
from orama.domain.sql import SqlLimits
from orama.errors import InvalidArgument, NotFound, Precondition, Unprocessable
from orama.gateway.handlers.database import DatabaseHandlers
from orama.gateway.kernel.call import Call
from orama.gateway.kernel.message import Request
from orama.gateway.kernel.operation import check_unique, operations_of
from orama.gateway.kernel.route import Router
from orama.services.database.service import DatabaseService
from support.sqlite import SHOP, open_sqlite

OPERATIONS = {one.path.removeprefix("/v1/rqlite/"): one for one in operations_of("database", DatabaseHandlers)}


class Gateway:
    """Calls the handlers by way of the routes' own decoders."""

    def __init__(self, handlers):
        self._router = Router(operations_of("database", handlers))

    async def call(self, verb, body="{}"):
        path = f"/v1/rqlite/{verb}"
        method = "GET" if verb == "schema" else "POST"
        route, _ = self._router.match(method, path)
        call = Call(Request(method, path, "", {}, body.encode(), "192.0.2.1", "192.0.2.1"), 0.0, route)
        call.principal = Principal(Method.API_KEY, "ak_1", SHOP, frozenset({"*"}))
        arguments = [] if route.decoder is None else [route.decoder.decode(body)]
        return msgspec.json.decode(msgspec.json.encode(await route.handler(call, *arguments)))


@pytest.fixture
async def gateway(tmp_path):
    async with open_sqlite(tmp_path) as database:
        gateway = Gateway(DatabaseHandlers(DatabaseService(database, SqlLimits())))
        created = await gateway.call(
            "create-table",
            '{"schema": "CREATE TABLE users(id INTEGER PRIMARY KEY, Name TEXT UNIQUE, ok BOOLEAN, at DATETIME, b BLOB)"}',
        )
        assert created == {"status": "ok"}
        yield gateway


ANN = {"id": 1, "Name": "ann", "ok": True, "at": "2024-01-02T03:04:05Z", "b": "AP8="}
INSERT_ANN = """{"sql": "INSERT INTO users(Name, ok, at, b) VALUES (?, ?, ?, ?)",
                 "args": ["ann", true, "2024-01-02 03:04:05", {"blob": "AP8="}]}"""


def test_operations_have_the_paths_scopes_and_status_of_the_contract():
    assert {path: (one.method, one.scope, one.status) for path, one in OPERATIONS.items()} == {
        "query": ("POST", "db:read", 200),
        "exec": ("POST", "db:write", 200),
        "find": ("POST", "db:read", 200),
        "find-one": ("POST", "db:read", 200),
        "select": ("POST", "db:read", 200),
        "transaction": ("POST", "db:write", 200),
        "schema": ("GET", "db:read", 200),
        "create-table": ("POST", "db:write", 201),
        "drop-table": ("POST", "db:write", 200),
    }
    check_unique(OPERATIONS.values())


async def test_exec_and_query(gateway):
    done = await gateway.call("exec", INSERT_ANN)
    assert done == {"rows_affected": 1, "last_insert_id": 1, "execution_state": "ok"}
    found = await gateway.call("query", '{"sql": "SELECT * FROM users", "consistency": "strong", "unknown": 1}')
    assert found == {"items": [ANN], "count": 1, "columns": list(ANN), "rows": [list(ANN.values())]}
    empty = await gateway.call("query", '{"sql": "SELECT id FROM users WHERE id = ?", "args": [2.0]}')
    assert empty == {"items": [], "count": 0, "columns": ["id"], "rows": []}


async def test_integers_are_exact(gateway):
    found = await gateway.call(
        "query", '{"sql": "SELECT ? AS a, ? AS b", "args": [9007199254740993, -9223372036854775808]}'
    )
    assert found["rows"] == [[9007199254740993, -9223372036854775808]]


async def test_find_takes_options_at_either_place(gateway):
    await gateway.call("exec", INSERT_ANN)
    await gateway.call("exec", """{"sql": "INSERT INTO users(Name) VALUES ('bob')", "args": null}""")
    nested = await gateway.call(
        "find", '{"table": "users", "options": {"select": ["Name"], "order_by": ["Name desc"], "limit": 1}, "limit": 9}'
    )
    assert nested["items"] == [{"Name": "bob"}]
    flat = await gateway.call("find", '{"table": "users", "criteria": {"ok": true}, "select": ["id"], "options": {}}')
    assert flat["rows"] == [[1]]
    unlimited = await gateway.call("find", '{"table": "users", "criteria": null, "limit": 0}')
    assert unlimited["count"] == 2


async def test_find_one_is_the_bare_row(gateway):
    await gateway.call("exec", INSERT_ANN)
    assert await gateway.call("find-one", '{"table": "users", "criteria": {"Name": "ann"}}') == ANN
    with pytest.raises(NotFound, match=r"^not found$"):
        await gateway.call("find-one", '{"table": "users", "criteria": {"Name": "zoe"}}')


async def test_select_one_is_the_row_and_its_list(gateway):
    await gateway.call("exec", INSERT_ANN)
    row = await gateway.call("select", '{"table": "users", "where": [{"expr": "id = ?", "args": [1]}], "one": true}')
    assert row == {**ANN, "items": [ANN]}
    own = await gateway.call("select", '{"table": "users", "select": ["7 AS items"], "one": true}')
    assert own == {"items": 7}
    many = await gateway.call("select", '{"table": "users", "alias": "u", "select": ["u.Name", "COUNT(*)"]}')
    assert many["items"] == [{"Name": "ann", "COUNT(*)": 1}]
    with pytest.raises(NotFound, match=r"^not found$"):
        await gateway.call("select", '{"table": "users", "where": [{"expr": "id > 9"}], "one": true}')


async def test_transaction_is_atomic_and_tells_each_step(gateway):
    done = await gateway.call(
        "transaction",
        """{"ops": [{"kind": "exec", "sql": "INSERT INTO users(Name) VALUES (?)", "args": ["ann"]},
                    {"kind": "query", "sql": "SELECT id, Name FROM users"},
                    {"kind": "query", "sql": "SELECT id FROM users WHERE id = 9"}], "return_results": true}""",
    )
    assert done == {
        "status": "ok",
        "results": [{"rows_affected": 1, "last_insert_id": 1}, [{"id": 1, "Name": "ann"}], []],
    }
    with pytest.raises(Unprocessable, match=r"UNIQUE constraint failed: users\.Name"):
        await gateway.call(
            "transaction",
            """{"statements": ["INSERT INTO users(Name) VALUES ('bob')", "INSERT INTO users(Name) VALUES ('ann')"]}""",
        )
    with pytest.raises(Precondition):
        await gateway.call(
            "transaction",
            """{"ops": [{"sql": "INSERT INTO users(Name) VALUES ('cyd')"},
                        {"sql": "UPDATE users SET ok = 1 WHERE Name = 'zoe'", "expect_rows": 1}]}""",
        )
    assert (await gateway.call("query", '{"sql": "SELECT Name FROM users"}'))["rows"] == [["ann"]]
    assert await gateway.call("transaction", '{"statements": ["DELETE FROM users"]}') == {"status": "ok"}
    with pytest.raises(InvalidArgument):
        await gateway.call("transaction", '{"ops": [], "statements": null}')


async def test_schema_and_drop(gateway):
    listed = await gateway.call("schema")
    assert listed["count"] == 1
    assert (listed["tables"][0]["name"], listed["tables"][0]["type"]) == ("users", "table")
    assert await gateway.call("drop-table", '{"table": "users"}') == {"status": "ok"}
    assert await gateway.call("schema") == {"tables": [], "count": 0}


@pytest.mark.parametrize("path", ["query", "exec", "find", "find-one", "select", "create-table", "drop-table"])
async def test_empty_request_is_refused(gateway, path):
    with pytest.raises(InvalidArgument):
        await gateway.call(path, "{}")
