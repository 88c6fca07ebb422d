"""Who may do what, for every operation there is: generated from the table of operations."""

from __future__ import annotations

import asyncio
import time

import pytest
import pytest_asyncio

from orama.domain.namespace import Namespace
from orama.domain.scope import SCOPES, covers
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
from orama.gateway.handlers.system import SystemHandlers
from orama.gateway.handlers.wallet import WalletHandlers
from orama.gateway.kernel.operation import CREDENTIAL, PUBLIC, WALLET, operation, operations_of
from orama.gateway.kernel.route import Router
from support.caller import Caller, sign_in
from support.examples import FIXED, FRESH, example, fresh_wallet, prepare

pytestmark = pytest.mark.asyncio(loop_scope="module")

TABLE = [
    *operations_of("system", SystemHandlers),
    *operations_of("auth", AuthHandlers),
    *operations_of("wallets", WalletHandlers),
    *operations_of("login", LoginHandlers),
    *operations_of("namespace", NamespaceHandlers),
    *operations_of("invitation", InvitationHandlers),
    *operations_of("key", KeyHandlers),
    *operations_of("audit", AuditHandlers),
    *operations_of("database", DatabaseHandlers),
    *operations_of("migrations", MigrationHandlers),
    *operations_of("cache", CacheHandlers),
    *operations_of("pubsub", PubSubHandlers),
]
PUBLIC_ONES = [one.name for one in TABLE if one.scope == PUBLIC]
PROTECTED = [one.name for one in TABLE if one.scope != PUBLIC]
SCOPED = [one.name for one in TABLE if one.scope not in (PUBLIC, CREDENTIAL, WALLET)]
WALLETS = [one.name for one in TABLE if one.scope == WALLET]
PLACES = {"owner": "demo", "other": "other", "wallet_owner": "signedin"}
BY_NAME = {one.name: one for one in TABLE}

OWNER_VALUE = "mark-of-the-owners-value"
OWNER_TABLE = "mark_of_the_owners_table"
OWNER_KEY = "mark-of-the-owners-key"

UNAUTHENTICATED = {
    "anonymous": ("missing_credential", "missing API key"),
    "unknown": ("invalid_api_key", "invalid API key"),
    "malformed": ("invalid_api_key", "invalid API key"),
    "revoked": ("invalid_api_key", "invalid API key"),
    "expired": ("invalid_api_key", "invalid API key"),
    "forged": ("invalid_token", "invalid or expired token"),
    "signed_out_key": ("invalid_api_key", "invalid API key"),
    "signed_out_token": ("invalid_token", "invalid or expired token"),
    "token_of_revoked_key": ("invalid_token", "invalid or expired token"),
}


class Cast:
    """Everybody who might call."""

    def __init__(self, node, callers):
        self.node = node
        self.callers = callers

    def __getitem__(self, name):
        return self.callers[name]

    async def ask(self, who, name):
        """The reply of the operation `name` to its example, asked by `who`."""
        one, caller, place = BY_NAME[name], self[who], PLACES.get(who, "demo")
        if (who, name) in {("wallet_owner", "namespace.leave"), ("wallet_owner", "namespace.transfer")}:
            caller = await another_owner(self.node, place)  # who does this has other rights afterwards
        return await caller.call(self.node, one, await example(self.node, name, place, caller))


async def another_owner(node, place):
    """A wallet that is an owner of `place`, too, signed in."""
    wallet = fresh_wallet()
    await node.node.auth.namespaces.grant(Namespace(place), wallet.subject, "owner")
    return Caller.with_token(node.client, (await sign_in(node.client, wallet, place))["token"])


async def revoked_key(node):
    key = await node.key("demo")
    await node.node.auth.api_keys.revoke(Namespace("demo"), key.split("_")[1])
    return key


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cast(node):
    client = node.client
    expiring = await node.key("demo", expires_at=int(time.time() * 1000) + 100)
    good = await node.key("demo")
    doomed = await node.key("demo")
    doomed_token = (await Caller.with_key(client, doomed).ok("/v1/auth/token"))["access_token"]
    assert (await Caller.with_token(client, doomed_token).get("/v1/auth/whoami")).status_code == 200
    await node.node.auth.api_keys.revoke(Namespace("demo"), doomed.split("_")[1])
    wallet, leaver = fresh_wallet(), fresh_wallet()
    signed_in, left = await sign_in(client, wallet, "signedin"), await sign_in(client, leaver, "left")
    assert (await Caller.with_key(client, left["api_key"]).get("/v1/auth/whoami")).status_code == 200
    await Caller(client).ok("/v1/auth/logout", {"refresh_token": left["refresh_token"]})
    header, payload, signature = signed_in["token"].split(".")
    callers = {
        "anonymous": Caller(client),
        "unknown": Caller.with_key(client, good[:25] + good[25:].swapcase().replace(":DEMO", ":demo")),
        "malformed": Caller.with_key(client, "ak_nonsense"),
        "revoked": Caller.with_key(client, await revoked_key(node)),
        "expired": Caller.with_key(client, expiring),
        "forged": Caller.with_token(client, f"{header}.{payload}.{signature[:-8]}AAAAAAAA"),
        "signed_out_key": Caller.with_key(client, left["api_key"]),
        "signed_out_token": Caller.with_token(client, left["token"]),
        "token_of_revoked_key": Caller.with_token(client, doomed_token),
        "wrong_scope": Caller.with_key(client, await node.key("demo", "functions:invoke:none")),
        "owner": Caller.with_key(client, good),
        "other": Caller.with_key(client, await node.key("other")),
        "wallet_owner": Caller.with_token(client, signed_in["token"]),
    }
    for who in ("owner", "other", "wallet_owner"):
        await prepare(callers[who], OWNER_VALUE if who == "owner" else "own")
    await asyncio.sleep(0.15)
    return Cast(node, callers)


async def test_every_operation_of_the_node_is_in_this_matrix(node):
    table = {one.name: one for one in node.node.operations}
    assert set(table) == set(BY_NAME) == set(FIXED) | FRESH
    assert {name: one.scope for name, one in table.items()} == {name: one.scope for name, one in BY_NAME.items()}


async def test_public_operations_are_these_and_no_others():
    assert set(PUBLIC_ONES) == {
        *("system.health", "system.health.1", "system.ready", "system.status", "system.status.1", "system.version"),
        *("system.root", "system.docs", "system.metrics", "system.openapi", "auth.jwks", "auth.jwks.1"),
        *("auth.challenge", "auth.verify", "auth.api_key", "auth.simple_key", "auth.register"),
        *("auth.refresh", "auth.logout", "login.page", "login.finish", "login.exchange"),
    }


async def test_operation_without_a_scope_cannot_be_declared():
    with pytest.raises(TypeError, match="scope"):
        operation("GET", "/open")
    with pytest.raises(TypeError, match="no handler"):
        Router(TABLE)


@pytest.mark.parametrize("name", PUBLIC_ONES)
@pytest.mark.parametrize("who", [*UNAUTHENTICATED, "wrong_scope", "owner"])
async def test_public_operation_answers_everybody(cast, who, name):
    reply = await cast.ask(who, name)
    assert reply.status_code == BY_NAME[name].status, reply.text


@pytest.mark.parametrize("name", PROTECTED)
@pytest.mark.parametrize("who", UNAUTHENTICATED)
async def test_protected_operation_is_401_without_a_credential_that_holds(cast, who, name):
    reply = await cast.ask(who, name)
    reason, text = UNAUTHENTICATED[who]
    body = reply.json()
    assert (reply.status_code, body["code"], body["reason"], body["error"]) == (401, "UNAUTHENTICATED", reason, text)
    assert reply.headers["www-authenticate"].startswith("Bearer ")
    assert OWNER_VALUE not in reply.text


@pytest.mark.parametrize("name", SCOPED)
async def test_scoped_operation_is_403_with_all_scopes_but_its_own(cast, name):
    scope = BY_NAME[name].scope
    caller = Caller.with_key(
        cast.node.client, await cast.node.key("demo", *(s for s in SCOPES if not covers(s, scope)))
    )
    reply = await caller.call(cast.node, BY_NAME[name], await example(cast.node, name))
    body = reply.json()
    assert (reply.status_code, body["code"], body["reason"]) == (403, "PERMISSION_DENIED", "scope_missing")
    assert BY_NAME[name].scope in body["error"]


@pytest.mark.parametrize("name", SCOPED)
async def test_each_scope_opens_its_own_operations_only(cast, name):
    node, one = cast.node, BY_NAME[name]
    area, action, *_ = one.scope.split(":")
    opening = {one.scope, f"{area}:{action}", f"{area}:*", area, "*"}
    for scope in sorted({*opening, *(known for known in SCOPES if known.startswith(f"{area}:")), "functions:invoke"}):
        caller = Caller.with_key(node.client, await node.key("scopes", scope))
        reply = await caller.call(node, one, await example(node, name, "scopes"))
        is_open = "scope_missing" not in reply.text
        assert is_open is (scope in opening), (scope, reply.text)


@pytest.mark.parametrize("name", WALLETS)
async def test_what_is_for_wallets_is_403_for_any_key_and_its_tokens(cast, name):
    wallets_key = (await sign_in(cast.node.client, fresh_wallet(), ""))["api_key"]
    for key in (cast["owner"].headers["X-API-Key"], wallets_key):
        by_key = Caller.with_key(cast.node.client, key)
        token = (await by_key.ok("/v1/auth/token"))["access_token"]
        for caller in (by_key, Caller.with_token(cast.node.client, token)):
            reply = await caller.call(cast.node, BY_NAME[name], await example(cast.node, name))
            assert (reply.status_code, reply.json()["reason"]) == (403, "wallet_required")


async def test_scope_of_every_operation_is_one_that_keys_can_have():
    assert {BY_NAME[name].scope.removesuffix(":own") for name in SCOPED} <= set(SCOPES)


@pytest.mark.parametrize(
    ("who", "name"),
    [(who, name) for who in PLACES for name in PROTECTED if name not in WALLETS or who == "wallet_owner"],
)
async def test_owner_is_served(cast, who, name):
    await prepare(cast[who], OWNER_VALUE if who == "owner" else "own")
    if (who, name) == ("wallet_owner", "auth.token"):
        assert (await cast.ask(who, name)).json()["error"] == "missing API key"  # it exchanges keys, and this is none
        return
    reply = await cast.ask(who, name)
    assert reply.status_code == BY_NAME[name].status, reply.text
    if who == "other":
        assert OWNER_VALUE not in reply.text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def marked(cast):
    """The owner's data under names and with values that nobody else could know."""
    owner = cast["owner"]
    sql = f"CREATE TABLE {OWNER_TABLE} (id INTEGER PRIMARY KEY, text TEXT)"
    await owner.ok("/v1/rqlite/create-table", {"schema": sql}, status=201)
    await owner.exec(f"INSERT INTO {OWNER_TABLE} (text) VALUES (?)", OWNER_VALUE)
    await owner.ok("/v1/cache/put", {"dmap": "private", "key": OWNER_KEY, "value": OWNER_VALUE})
    await owner.ok("/v1/cache/put", {"dmap": "private", "key": "n", "value": 41})
    return cast


# Requests of another tenant that name what the owner has: {table} and {key} stand for the names.
PRYING = {
    "query": ("/v1/rqlite/query", {"sql": "SELECT * FROM {table}"}),
    "query_count": ("/v1/rqlite/query", {"sql": "SELECT count(*) FROM {table} WHERE text LIKE 'mark%'"}),
    "exec": ("/v1/rqlite/exec", {"sql": "DELETE FROM {table}"}),
    "find": ("/v1/rqlite/find", {"table": "{table}"}),
    "find_one": ("/v1/rqlite/find-one", {"table": "{table}", "criteria": {"id": 1}}),
    "select": ("/v1/rqlite/select", {"table": "{table}", "one": True}),
    "join": ("/v1/rqlite/select", {"table": "notes", "joins": [{"table": "{table}", "on": "1"}]}),
    "transaction": ("/v1/rqlite/transaction", {"ops": [{"kind": "query", "sql": "SELECT * FROM {table}"}]}),
    "alter": ("/v1/rqlite/create-table", {"schema": "ALTER TABLE {table} ADD COLUMN x"}),
    "drop": ("/v1/rqlite/drop-table", {"table": "{table}"}),
    "cache_get": ("/v1/cache/get", {"dmap": "private", "key": "{key}"}),
    "cache_mget": ("/v1/cache/mget", {"dmap": "private", "keys": ["{key}"]}),
    "cache_xx": ("/v1/cache/put", {"dmap": "private", "key": "{key}", "value": 1, "xx": True}),
    "cache_expire": ("/v1/cache/expire", {"dmap": "private", "key": "{key}", "ttl": 1}),
    "cache_delete": ("/v1/cache/delete", {"dmap": "private", "key": "{key}"}),
}


def named(body, table, key):
    match body:
        case str():
            return body.replace("{table}", table).replace("{key}", key)
        case dict():
            return {name: named(value, table, key) for name, value in body.items()}
        case list():
            return [named(value, table, key) for value in body]
        case _:
            return body


@pytest.mark.parametrize("case", PRYING)
async def test_foreign_things_look_exactly_like_absent_ones(marked, case):
    path, body = PRYING[case]
    absent_table, absent_key = OWNER_TABLE.replace("mark", "sign"), OWNER_KEY.replace("mark", "sign")
    foreign = await marked["other"].post(path, named(body, OWNER_TABLE, OWNER_KEY))
    absent = await marked["other"].post(path, named(body, absent_table, absent_key))

    def shape(reply):
        text = reply.text.replace(absent_table, OWNER_TABLE).replace(absent_key, OWNER_KEY)
        return reply.status_code, text.replace(reply.headers["x-request-id"], "id")

    assert shape(foreign) == shape(absent)
    assert OWNER_VALUE not in foreign.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/cache/scan", {"dmap": "private"}),
        ("/v1/cache/scan", {"dmap": "private", "match": "mark"}),
        ("/v1/rqlite/query", {"sql": "SELECT * FROM sqlite_schema"}),
        ("/v1/rqlite/query", {"sql": "SELECT * FROM sqlite_master"}),
        ("/v1/rqlite/query", {"sql": "SELECT * FROM pragma_table_list"}),
        ("/v1/rqlite/query", {"sql": "SELECT * FROM pragma_database_list"}),
        ("/v1/rqlite/query", {"sql": "SELECT * FROM dbstat"}),
        ("/v1/rqlite/schema", None),
    ],
)
async def test_lists_hold_nothing_of_another_tenant(marked, path, body):
    reply = await marked["other"].send("GET" if body is None else "POST", path, body)
    for mark in (OWNER_TABLE, OWNER_KEY, OWNER_VALUE):
        assert mark not in reply.text


async def test_same_names_mean_another_thing_in_each_namespace(marked):
    owner, other = marked["owner"], marked["other"]
    sql = f"CREATE TABLE {OWNER_TABLE} (id INTEGER PRIMARY KEY, text TEXT)"
    await other.ok("/v1/rqlite/create-table", {"schema": sql}, status=201)
    await other.ok("/v1/cache/put", {"dmap": "private", "key": OWNER_KEY, "value": "mine"})
    assert (await other.ok("/v1/cache/incr", {"dmap": "private", "key": "n"}))["value"] == 1
    await other.ok("/v1/cache/delete", {"dmap": "private", "key": OWNER_KEY})
    await other.ok("/v1/rqlite/drop-table", {"table": OWNER_TABLE})
    assert await owner.rows(f"SELECT text FROM {OWNER_TABLE}") == [[OWNER_VALUE]]
    assert (await owner.ok("/v1/cache/get", {"dmap": "private", "key": OWNER_KEY}))["value"] == OWNER_VALUE
    assert (await owner.ok("/v1/cache/get", {"dmap": "private", "key": "n"}))["value"] == 41


async def test_namespace_comes_from_the_credential_only(marked):
    other = marked["other"]
    hints = {"X-Namespace": "demo", "X-Wallet": "demo", "X-Forwarded-User": "demo", "Namespace": "demo"}
    reply = await other.get("/v1/auth/whoami", headers=hints, params={"namespace": "demo"})
    assert reply.json()["namespace"] == "other"
    body = {"dmap": "private", "key": OWNER_KEY, "namespace": "demo"}
    reply = await other.post("/v1/cache/get", body, headers=hints, params={"namespace": "demo"})
    assert reply.status_code == 404


async def test_key_of_an_unknown_namespace_is_refused_like_any_unknown_key(cast):
    key = cast["unknown"].headers["X-API-Key"]
    replies = [
        await Caller.with_key(cast.node.client, key.replace(":demo", f":{namespace}")).get("/v1/auth/whoami")
        for namespace in ("demo", "other", "no-such-namespace", "_platform")
    ]
    texts = {(reply.status_code, reply.json()["error"], reply.json()["reason"]) for reply in replies}
    assert texts == {(401, "invalid API key", "invalid_api_key")}
