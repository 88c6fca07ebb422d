"""``Idempotency-Key``: whoever lost a reply sends the request again, and it takes effect once."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from orama.gateway.handlers.audit import AuditHandlers
from orama.gateway.handlers.auth import AuthHandlers
from orama.gateway.handlers.cache import CacheHandlers
from orama.gateway.handlers.database import DatabaseHandlers
from orama.gateway.handlers.invitation import InvitationHandlers
from orama.gateway.handlers.key import KeyHandlers
from orama.gateway.handlers.login import LoginHandlers
from orama.gateway.handlers.migration import MigrationHandlers
from orama.gateway.handlers.namespace import NamespaceHandlers
from orama.gateway.handlers.pubsub import PubSubHandlers
from orama.gateway.handlers.wallet import WalletHandlers
from orama.gateway.kernel.operation import WALLET, Idempotency, RouteClass, operations_of
from support.caller import Caller, filled, signed
from support.examples import FRESH, example, fresh_wallet, prepare, wallet_caller

pytestmark = pytest.mark.asyncio(loop_scope="module")

TABLE = [
    *operations_of("auth", AuthHandlers),
    *operations_of("database", DatabaseHandlers),
    *operations_of("migrations", MigrationHandlers),
    *operations_of("cache", CacheHandlers),
    *operations_of("wallets", WalletHandlers),
    *operations_of("pubsub", PubSubHandlers),
    *operations_of("login", LoginHandlers),
    *operations_of("namespace", NamespaceHandlers),
    *operations_of("invitation", InvitationHandlers),
    *operations_of("key", KeyHandlers),
    *operations_of("audit", AuditHandlers),
]
KEYED = {one.name: one for one in TABLE if one.idempotency is not None}

HARMLESS = {
    "auth.token": "changes nothing: it signs a token",
    "auth.refresh": "the token is the key: for a moment it gives the same successor, and then its reuse is a theft",
    "auth.logout": "what has ended, ends no more",
    "login.page": "changes nothing: it is a page",
    "key.revoke": "what has ended, ends no more",
    "namespace.leave": "the token that says it ends with it",
    "migrations.apply": "what is applied, is not applied again",
}
"""Writes that take no key, and why."""

_numbers = itertools.count()


def key():
    """Headers with a key that nobody used before."""
    return {"Idempotency-Key": f"key-{next(_numbers)}"}


async def counted(owner, table):
    ((number,),) = await owner.rows(f"SELECT count(*) FROM {table}")
    return number


@pytest.fixture(scope="module")
def new_table():
    """Makes tables of names that no other test has."""

    async def make(caller, columns="id INTEGER PRIMARY KEY, text TEXT"):
        table = f"keyed{next(_numbers)}"
        await caller.ok("/v1/rqlite/create-table", {"schema": f"CREATE TABLE {table} ({columns})"}, status=201)
        return table

    return make


async def test_every_write_takes_a_key_or_can_be_repeated_without_harm():
    writes = {one.name for one in TABLE if one.route_class in (RouteClass.WRITE, RouteClass.SIGN_IN)}
    assert writes - set(KEYED) == set(HARMLESS)
    assert not set(KEYED) - writes
    groups = {one.group for one in KEYED.values() if one.idempotency is Idempotency.ATOMIC}
    assert groups == {"auth", "database", "wallets", "login", "namespace", "invitation", "key"}


async def test_these_are_all_operations_that_the_node_has(node):
    assert {one.name for one in node.node.operations if one.group != "system"} == {one.name for one in TABLE}


async def request_of(node, owner, name):
    """Somebody who may ask for the operation `name`, the path and the body to ask with."""
    one, caller, place = KEYED[name], owner, "demo"
    if one.scope == WALLET:
        caller = await wallet_caller(node)
        place = (await caller.get("/v1/auth/whoami")).json()["namespace"]
    elif name in FRESH and one.group == "auth":
        caller = Caller(node.client)
    else:
        await prepare(owner)
    return caller, *filled(one, await example(node, name, place, caller))


@pytest.mark.parametrize("name", KEYED)
async def test_repeat_is_answered_like_the_first_and_says_so(node, owner, name):
    one, headers = KEYED[name], key()
    caller, path, body = await request_of(node, owner, name)
    first = await caller.send(one.method, path, body, headers=headers)
    assert first.status_code == one.status, first.text
    assert "idempotency-replayed" not in first.headers
    for _ in range(2):
        again = await caller.send(one.method, path, body, headers=headers)
        assert (again.status_code, again.headers["idempotency-replayed"]) == (one.status, "true"), again.text
        new = {"access_token", "token", "jwt_token"} if name == "auth.verify" else set()
        assert {field: value for field, value in again.json().items() if field not in new} == {
            field: value for field, value in first.json().items() if field not in new
        }
        assert again.headers["content-type"] == first.headers["content-type"]


@pytest.mark.parametrize("name", KEYED)
async def test_50_repeats_at_once_are_one_request(node, owner, name):
    one, headers = KEYED[name], key()
    caller, path, body = await request_of(node, owner, name)
    replies = await asyncio.gather(*(caller.send(one.method, path, body, headers=headers) for _ in range(50)))
    good = [reply for reply in replies if reply.status_code == one.status]
    first = [reply for reply in good if "idempotency-replayed" not in reply.headers]
    assert len(first) == 1
    if one.idempotency is Idempotency.ATOMIC:
        assert len(good) == 50
    else:
        refused = [reply for reply in replies if reply not in good]
        assert {(reply.status_code, reply.json()["reason"]) for reply in refused} <= {(409, "idempotency_key_in_use")}
        assert all(reply.headers["retry-after"] == "1" for reply in refused)
    if name in ("auth.api_key", "key.create", "key.rotate"):
        assert len({reply.json()["api_key"] for reply in good}) == 1


async def test_insert_with_a_key_happens_once_and_without_one_each_time(owner, new_table):
    table = await new_table(owner)
    body, headers = {"sql": f"INSERT INTO {table} (text) VALUES ('a')"}, key()
    for _ in range(3):
        reply = await owner.post("/v1/rqlite/exec", body, headers=headers)
        assert reply.json() == {"rows_affected": 1, "last_insert_id": 1, "execution_state": "ok"}
    assert await counted(owner, table) == 1
    for count in (2, 3):
        assert (await owner.ok("/v1/rqlite/exec", body))["last_insert_id"] == count


async def test_transaction_is_repeated_with_the_rows_it_had(owner, new_table):
    table = await new_table(owner, "id INTEGER PRIMARY KEY, text TEXT, paid BOOLEAN, at DATETIME")
    ops = [
        {"sql": f"INSERT INTO {table} (text, paid, at) VALUES ('é', 1, '2024-01-02 03:04:05')"},
        {"kind": "query", "sql": f"SELECT *, count(*) OVER () AS n, x'00ff' AS blob FROM {table}"},
        {"kind": "query", "sql": f"SELECT * FROM {table} WHERE 0"},
    ]
    body, headers = {"ops": ops, "return_results": True}, key()
    replies = [await owner.post("/v1/rqlite/transaction", body, headers=headers) for _ in range(3)]
    row = {"id": 1, "text": "é", "paid": True, "at": "2024-01-02T03:04:05Z", "n": 1, "blob": "AP8="}
    for reply in replies:
        assert reply.json()["results"] == [{"rows_affected": 1, "last_insert_id": 1}, [row], []]
    assert replies[1].content == replies[0].content
    assert await counted(owner, table) == 1


async def test_key_of_another_request_is_refused(owner, new_table):
    table = await new_table(owner)
    headers = key()
    sql = f"INSERT INTO {table} (text) VALUES (?)"
    assert (await owner.post("/v1/rqlite/exec", {"sql": sql, "args": ["a"]}, headers=headers)).status_code == 200
    for path, body in (
        ("/v1/rqlite/exec", {"sql": sql, "args": ["b"]}),
        ("/v1/rqlite/exec?x=1", {"sql": sql, "args": ["a"]}),
        ("/v1/rqlite/transaction", {"ops": [{"sql": sql, "args": ["a"]}]}),
        ("/v1/cache/incr", {"dmap": "keyed", "key": "n"}),
        ("/v1/auth/challenge", {"wallet": fresh_wallet().address}),
    ):
        reply = await owner.post(path, body, headers=headers)
        if path == "/v1/auth/challenge":
            assert reply.status_code == 200, "what the platform keeps is in another database"
            continue
        assert (reply.status_code, reply.json()["reason"]) == (409, "idempotency_key_reused"), path
        assert reply.json()["retryable"] is False
    assert await counted(owner, table) == 1


@pytest.mark.parametrize(
    ("path", "wrong", "mend", "right"),
    [
        (
            "/v1/rqlite/exec",
            {"sql": "INSERT INTO {} VALUES (1)"},
            {"schema": "CREATE TABLE {} (n UNIQUE)"},
            {"rows_affected": 1, "last_insert_id": 1, "execution_state": "ok"},
        ),
        (
            "/v1/rqlite/transaction",
            {"ops": [{"sql": "INSERT INTO {} VALUES (1)", "expect_rows": 1}]},
            {"schema": "CREATE TABLE {} (n UNIQUE)"},
            {"status": "ok"},
        ),
        ("/v1/rqlite/drop-table", {"table": "{}"}, {"schema": "CREATE TABLE {} (n)"}, {"status": "ok"}),
    ],
)
async def test_request_that_failed_is_carried_out_when_it_is_repeated(owner, path, wrong, mend, right):
    table = f"keyed{next(_numbers)}"
    named = [_named(one, table) for one in (wrong, mend)]
    headers = key()
    for _ in range(2):
        refused = await owner.post(path, named[0], headers=headers)
        assert refused.status_code in (404, 422)
        assert "idempotency-replayed" not in refused.headers
    await owner.ok("/v1/rqlite/create-table", named[1], status=201)
    for replayed in (None, "true"):
        reply = await owner.post(path, named[0], headers=headers)
        assert (reply.status_code, reply.json()) == (200, right)
        assert reply.headers.get("idempotency-replayed") == replayed


def _named(body, table):
    match body:
        case str():
            return body.replace("{}", table)
        case dict():
            return {name: _named(value, table) for name, value in body.items()}
        case list():
            return [_named(value, table) for value in body]
        case _:
            return body


async def test_failed_write_to_the_cache_is_carried_out_when_it_is_repeated(owner):
    place = {"dmap": "keyed", "key": f"k{next(_numbers)}"}
    body, headers = {**place, "delta": 1}, key()
    await owner.ok("/v1/cache/put", {**place, "value": "no number"})
    assert (await owner.post("/v1/cache/incr", body, headers=headers)).status_code == 422
    await owner.ok("/v1/cache/delete", place)
    for replayed in (None, "true", "true"):
        reply = await owner.post("/v1/cache/incr", body, headers=headers)
        assert (reply.status_code, reply.json()["value"]) == (200, 1)
        assert reply.headers.get("idempotency-replayed") == replayed
    assert (await owner.ok("/v1/cache/get", place))["value"] == 1


@pytest.mark.parametrize("text", ["", "a b", "a" * 256, "tab\there"])
@pytest.mark.parametrize("path", ["/v1/rqlite/exec", "/v1/cache/incr", "/v1/auth/challenge"])
async def test_key_of_another_form_is_refused_before_anything_happens(owner, path, text):
    body = {"sql": "CREATE TABLE never (x)", "dmap": "never", "key": "k", "wallet": "0x" + "1" * 40}
    reply = await owner.post(path, body, headers={"Idempotency-Key": text})
    assert (reply.status_code, reply.json()["reason"]) == (400, "invalid_idempotency_key"), reply.text
    assert "never" not in (await owner.get("/v1/rqlite/schema")).text


async def test_key_that_came_twice_is_refused(node, owner):
    headers = [*owner.headers.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    reply = await node.client.post("/v1/rqlite/exec", json={"sql": "SELECT 1"}, headers=headers)
    assert reply.status_code == 400


async def test_longest_key_is_good(owner, new_table):
    table = await new_table(owner)
    headers = {"Idempotency-Key": "".join(chr(33 + number % 94) for number in range(255))}
    for _ in range(2):
        body = {"sql": f"INSERT INTO {table} DEFAULT VALUES"}
        assert (await owner.post("/v1/rqlite/exec", body, headers=headers)).status_code == 200
    assert await counted(owner, table) == 1


async def test_members_of_one_namespace_do_not_meet_each_others_keys(node, owner, new_table):
    table = await new_table(owner)
    other = Caller.with_key(node.client, await node.key("demo"))
    body, headers = {"sql": f"INSERT INTO {table} (text) VALUES ('secret') RETURNING text"}, key()
    transaction = {"ops": [{"kind": "query", **body}], "return_results": True}
    assert (await owner.post("/v1/rqlite/transaction", transaction, headers=headers)).status_code == 200
    reply = await other.post("/v1/rqlite/transaction", transaction, headers=headers)
    assert "idempotency-replayed" not in reply.headers
    assert await counted(owner, table) == 2
    changed = await other.post("/v1/rqlite/exec", {"sql": f"DELETE FROM {table} WHERE 0"}, headers=key())
    assert changed.status_code == 200, "nor do they hear that a key is taken"


async def test_namespaces_do_not_meet_each_others_keys(node, owner):
    other = Caller.with_key(node.client, await node.key("other"))
    body, headers = {"dmap": "keyed", "key": f"k{next(_numbers)}", "delta": 1}, key()
    for caller in (owner, other):
        for _ in range(2):
            assert (await caller.post("/v1/cache/incr", body, headers=headers)).json()["value"] == 1


async def test_reading_takes_no_notice_of_a_key(owner):
    for number in (1, 2):
        reply = await owner.post("/v1/rqlite/query", {"sql": f"SELECT {number}"}, headers={"Idempotency-Key": "k"})
        assert reply.json()["rows"] == [[number]]


async def test_reply_too_long_to_be_kept_is_not_given_again_and_the_effect_stays_one(owner, new_table):
    table = await new_table(owner)
    ops = [{"kind": "query", "sql": f"INSERT INTO {table} (text) VALUES (?) RETURNING text", "args": ["x" * 70_000]}]
    for returned, status in ((True, 409), (False, 200)):
        headers = key()
        body = {"ops": ops, "return_results": returned}
        assert (await owner.post("/v1/rqlite/transaction", body, headers=headers)).status_code == 200
        reply = await owner.post("/v1/rqlite/transaction", body, headers=headers)
        assert reply.status_code == status, "rows that nobody asked for need not be kept"
        assert returned is (reply.json().get("reason") == "idempotency_reply_not_kept")
    assert await counted(owner, table) == 2
    place = {"dmap": "keyed", "key": "long"}
    await owner.ok("/v1/cache/put", {**place, "value": "x" * 70_000})
    headers = key()
    assert (await owner.post("/v1/cache/getput", {**place, "value": 1}, headers=headers)).status_code == 200
    reply = await owner.post("/v1/cache/getput", {**place, "value": 1}, headers=headers)
    assert (reply.status_code, reply.json()["reason"]) == (409, "idempotency_reply_not_kept")


async def test_sign_in_whose_reply_was_lost_is_not_lost(node):
    wallet, headers = fresh_wallet(), key()
    body = await signed(node.client, wallet, f"lost{wallet.address[2:10]}")
    first = (await Caller(node.client).post("/v1/auth/verify", body, headers=headers)).json()
    again = (await Caller(node.client).post("/v1/auth/verify", body, headers=headers)).json()
    assert again["refresh_token"] == first["refresh_token"]
    assert (await Caller.with_token(node.client, again["token"]).get("/v1/auth/whoami")).status_code == 200
    assert (await Caller.with_key(node.client, again["api_key"]).get("/v1/auth/whoami")).status_code == 200
    refused = await Caller(node.client).refused("/v1/auth/verify", body, 401)
    assert refused["reason"] == "challenge_unknown_or_used", "without its key a signature is good once"
    for other in (key(), {"Idempotency-Key": headers["Idempotency-Key"] + "x"}):
        assert (await Caller(node.client).post("/v1/auth/verify", body, headers=other)).status_code == 401


async def test_code_whose_exchange_is_repeated_with_its_key_is_no_theft(node):
    anonymous, headers = Caller(node.client), key()
    body = await example(node, "login.exchange")
    replies = await asyncio.gather(
        *(anonymous.post("/v1/auth/login/exchange", body, headers=headers) for _ in range(10))
    )
    assert {reply.status_code for reply in replies} == {200}
    caller = Caller.with_key(node.client, replies[0].json()["api_key"])
    assert (await caller.get("/v1/auth/whoami")).status_code == 200
    assert (await anonymous.refused("/v1/auth/login/exchange", body, 401))["reason"] == "code_reused"
    assert (await caller.get("/v1/auth/whoami")).status_code == 401


async def test_callers_without_a_credential_do_not_meet_each_others_keys(node):
    headers, bodies = key(), [await signed(node.client, fresh_wallet(), f"apart{number}") for number in range(2)]
    replies = [await Caller(node.client).post("/v1/auth/api-key", body, headers=headers) for body in bodies]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert len({reply.json()["api_key"] for reply in replies}) == 2
    assert not any("idempotency-replayed" in reply.headers for reply in replies)


async def test_document_names_the_key_where_it_is_taken(node):
    document = (await node.client.get("/v1/openapi.json")).json()
    for one in node.node.operations:
        described = document["paths"][one.path][one.method.lower()]
        named = [parameter["name"] for parameter in described.get("parameters", ()) if parameter["in"] == "header"]
        assert named == (["Idempotency-Key"] if one.name in KEYED else [])
        answered = described["responses"][str(one.status)]["headers"]
        assert ("Idempotency-Replayed" in answered) is (one.name in KEYED)
        assert one.name not in KEYED or "409" in described["responses"]


async def test_browsers_may_send_a_key_and_see_that_a_reply_was_repeated(node):
    preflight = await node.client.options("/v1/rqlite/exec", headers={"Origin": "https://app.example"})
    assert "Idempotency-Key" in preflight.headers["access-control-allow-headers"]
    assert "Idempotency-Replayed" in preflight.headers["access-control-expose-headers"]
