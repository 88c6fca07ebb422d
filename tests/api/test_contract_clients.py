"""Whole conversations as the TypeScript and the Go client hold them (wire §17)."""

from __future__ import annotations

import base64
import json

import pytest
import pytest_asyncio

from support.caller import sign_in
from support.examples import fresh_wallet

pytestmark = pytest.mark.asyncio(loop_scope="module")


class TypeScriptClient:
    """What its ``HttpClient`` does: header choice by path, a content type on everything, retries on some statuses."""

    KEY_ONLY = ("/v1/rqlite/", "/v1/pubsub/", "/v1/proxy/", "/v1/cache/")
    RETRIED = (408, 429, 500, 502, 503, 504)

    def __init__(self, node, *, api_key=None, jwt=None):
        self.node, self.api_key, self.jwt = node, api_key, jwt

    def headers(self, path):
        found = {"Content-Type": "application/json"}
        if path.startswith(self.KEY_ONLY):
            if self.api_key:
                found["X-API-Key"] = self.api_key
            elif self.jwt:
                found["Authorization"] = f"Bearer {self.jwt}"
            return found
        if self.jwt:
            found["Authorization"] = f"Bearer {self.jwt}"
        if self.api_key:
            found["X-API-Key"] = self.api_key
        return found

    async def send(self, method, path, body=None):
        reply = await self.node.client.request(method, path, json=body, headers=self.headers(path))
        assert reply.status_code not in self.RETRIED, "it would send this again"
        assert reply.headers["content-type"].startswith("application/json")
        return reply

    async def get(self, path):
        return (await self.send("GET", path)).json()

    async def post(self, path, body=None):
        return (await self.send("POST", path, body)).json()


@pytest_asyncio.fixture(loop_scope="module")
async def sdk(node):
    wallet = fresh_wallet()
    asked = {"wallet": wallet.address, "purpose": "authentication", "namespace": f"ts{wallet.bare[:8]}"}
    client = TypeScriptClient(node)
    challenge = await client.post("/v1/auth/challenge", asked)
    body = {**asked, "nonce": challenge["nonce"], "signature": wallet.sign(challenge["nonce"]), "chain_type": "ETH"}
    answer = await client.post("/v1/auth/verify", body)
    client.api_key, client.jwt = answer["api_key"], answer["access_token"]
    client.namespace = asked["namespace"]
    return client


async def test_ts_whoami_with_both_credentials_and_a_content_type_on_get(sdk):
    answer = await sdk.get("/v1/auth/whoami")
    assert (answer["authenticated"], answer["namespace"]) == (True, sdk.namespace)


async def test_ts_one_challenge_serves_one_of_its_calls_only(sdk, node):
    wallet = fresh_wallet()
    asked = {"wallet": wallet.address, "purpose": "authentication", "namespace": f"one{wallet.bare[:8]}"}
    challenge = await sdk.post("/v1/auth/challenge", asked)
    body = {**asked, "nonce": challenge["nonce"], "signature": wallet.sign(challenge["nonce"])}
    assert (await sdk.post("/v1/auth/api-key", body))["api_key"].startswith("ak_")
    assert (await sdk.send("POST", "/v1/auth/verify", body)).status_code == 401


async def test_ts_refresh_posts_nothing_and_reads_token(sdk):
    answer = await sdk.post("/v1/auth/refresh")
    assert answer["token"]
    sdk.jwt = answer["token"]
    assert (await sdk.get("/v1/auth/whoami"))["method"] == "jwt"


async def test_ts_logout_of_all_kills_what_it_stored(sdk):
    assert (await sdk.post("/v1/auth/logout", {"all": True}))["status"] == "ok"
    assert (await sdk.send("GET", "/v1/auth/whoami")).status_code == 401
    assert (await sdk.send("POST", "/v1/cache/get", {"dmap": "m", "key": "k"})).status_code == 401


async def test_ts_repository_saves_finds_and_counts(sdk):
    await sdk.post("/v1/rqlite/create-table", {"schema": "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)"})
    saved = await sdk.post("/v1/rqlite/exec", {"sql": "INSERT INTO users (name) VALUES (?)", "args": ["Ann"]})
    assert (saved["rows_affected"], saved["last_insert_id"]) == (1, 1)
    updated = await sdk.post("/v1/rqlite/exec", {"sql": "UPDATE users SET name = ? WHERE id = ?", "args": ["Eve", 1]})
    assert updated["rows_affected"] == 1
    found = await sdk.post("/v1/rqlite/find-one", {"table": "users", "criteria": {"id": 1}, "options": {}})
    assert found == {"id": 1, "name": "Eve"}
    missing = await sdk.send("POST", "/v1/rqlite/find-one", {"table": "users", "criteria": {"id": 2}, "options": {}})
    assert missing.status_code == 404, "the repository takes this for null"
    many = await sdk.post("/v1/rqlite/find", {"table": "users", "criteria": {}, "options": {"limit": 10}})
    assert many["items"] == [{"id": 1, "name": "Eve"}]
    listed = await sdk.get("/v1/rqlite/schema")
    assert listed["tables"][0]["name"] == "users"
    await sdk.post("/v1/rqlite/drop-table", {"table": "users"})


async def test_ts_query_builder_reads_items_of_one(sdk):
    await sdk.post("/v1/rqlite/create-table", {"schema": "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT)"})
    await sdk.post("/v1/rqlite/exec", {"sql": "INSERT INTO posts (title) VALUES ('a'), ('b')", "args": []})
    built = {"table": "posts", "alias": None, "select": None, "where": None, "joins": None, "order_by": ["id"]}
    get_one = await sdk.post("/v1/rqlite/select", {**built, "one": True, "limit": 1})
    assert get_one["items"][0] == {"id": 1, "title": "a"}
    count = await sdk.post(
        "/v1/rqlite/select", {**built, "select": ["COUNT(*) AS count"], "order_by": None, "one": True}
    )
    assert count["items"][0]["count"] == 2
    get_many = await sdk.post("/v1/rqlite/select", {**built, "where": [{"conj": "AND", "expr": "id > ?", "args": [1]}]})
    assert [row["title"] for row in get_many["items"]] == ["b"]


async def test_ts_transaction_always_asks_for_results(sdk):
    await sdk.post("/v1/rqlite/create-table", {"schema": "CREATE TABLE log (id INTEGER PRIMARY KEY, line TEXT)"})
    ops = [
        {"kind": "exec", "sql": "INSERT INTO log (line) VALUES (?)", "args": ["x"]},
        {"kind": "query", "sql": "SELECT line FROM log"},
    ]
    answer = await sdk.post("/v1/rqlite/transaction", {"ops": ops, "return_results": True})
    assert answer["results"] == [{"rows_affected": 1, "last_insert_id": 1}, [{"line": "x"}]]


async def test_ts_bad_statement_is_not_repeated(sdk):
    reply = await sdk.send("POST", "/v1/rqlite/query", {"sql": "SELECT * FROM nowhere"})
    assert isinstance(reply.json()["error"], str)
    assert reply.json()["code"] == "UNPROCESSABLE"


async def test_ts_cache_with_its_miss_and_its_multi_get(sdk):
    place = {"dmap": "sessions", "key": "user-1"}
    assert (await sdk.get("/v1/cache/health"))["service"] == "olric"
    await sdk.post("/v1/cache/put", {**place, "value": {"name": "Ann", "age": 30}, "ttl": "5m"})
    assert (await sdk.post("/v1/cache/get", place))["value"] == {"name": "Ann", "age": 30}
    missed = await sdk.send("POST", "/v1/cache/get", {**place, "key": "user-2"})
    assert missed.status_code == 404
    assert "key not found" in missed.json()["error"]
    answer = await sdk.post("/v1/cache/mget", {"dmap": "sessions", "keys": ["user-1", "user-2"]})
    hits = {hit["key"]: hit["value"] for hit in answer["results"]}
    assert [hits.get(key) for key in ("user-1", "user-2")] == [{"name": "Ann", "age": 30}, None]
    assert (await sdk.post("/v1/cache/scan", {"dmap": "sessions", "match": "^user-"}))["keys"] == ["user-1"]


async def test_ts_client_with_a_token_alone_uses_it_for_the_database(node):
    wallet = fresh_wallet()
    client = TypeScriptClient(node, jwt=(await sign_in(node.client, wallet, f"jw{wallet.bare[:8]}"))["token"])
    assert (await client.post("/v1/rqlite/query", {"sql": "SELECT 1 AS one"}))["items"] == [{"one": 1}]


async def test_go_client_reads_the_namespace_from_key_and_claims(node):
    wallet = fresh_wallet()
    place = f"go{wallet.bare[:8]}"
    signed_in = await sign_in(node.client, wallet, place)
    prefix, _, namespace = signed_in["api_key"].partition(":")
    assert (prefix.startswith("ak_"), namespace, signed_in["api_key"].count(":")) == (True, place, 1)
    payload = signed_in["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert {name.lower(): value for name, value in claims.items()}["namespace"] == place


async def test_go_end_to_end_reads_rows_if_there_are_any(node, owner):
    answer = await owner.ok("/v1/rqlite/query", {"sql": "SELECT 1 + 1"})
    assert answer["rows"][0][0] == 2
    assert answer["items"][0] == {"1 + 1": 2}


async def test_go_end_to_end_takes_any_refusal_of_bad_sql_and_201_of_create_table(node, owner):
    created = await owner.post("/v1/rqlite/create-table", {"schema": "CREATE TABLE IF NOT EXISTS e2e (id INTEGER)"})
    assert created.status_code == 201
    assert (await owner.post("/v1/rqlite/exec", {"sql": "BROKEN"})).status_code != 200


async def test_go_clean_up_of_maps_meets_a_status_that_it_tolerates(owner):
    for path in ("/v1/cache/dmap/m", "/v1/cache/dmap/m/key/k"):
        assert (await owner.send("DELETE", path)).status_code in (200, 204, 404)
