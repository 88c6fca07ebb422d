"""The flaws of the gateway that this one replaces: each by its number, each impossible here.

``w<n>`` are the findings of the wire contract (§25), ``r<n>`` those of the reliability specification (§2.0).
"""

from __future__ import annotations

import asyncio
import re
import time

import apsw
import jwt
import pytest

from orama.domain.namespace import Namespace
from support.caller import Caller, sign_in, signed
from support.examples import fresh_wallet
from support.node import running_node
from support.solana import SolanaWallet
from support.wallet import malleated, with_v

pytestmark = pytest.mark.asyncio(loop_scope="module")


def on_disk(directory):
    return apsw.Connection(str(directory / "system.db"), flags=apsw.SQLITE_OPEN_READONLY)


async def whoami(node, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await node.client.get("/v1/auth/whoami", headers=named)).status_code


# --- Sign-in and credentials ---


async def test_w1_r1_simple_key_never_gives_away_the_key_of_a_wallet(node, anonymous):
    wallet, place = fresh_wallet(), "w1"
    mine = await sign_in(node.client, wallet, place)
    body = await anonymous.refused("/v1/auth/simple-key", {"wallet": wallet.address, "namespace": place}, 409)
    assert mine["api_key"] not in str(body)
    assert body["reason"] == "namespace_claimed"


async def test_w1_r1_simple_key_is_for_development_only(tmp_path):
    production = {"node__mode": "production", "node__public_host": "api.example"}
    async with running_node(tmp_path, **production) as node:
        body = {"wallet": fresh_wallet().address, "namespace": "anything"}
        assert (await Caller(node.client).refused("/v1/auth/simple-key", body, 403))["reason"] == "simple_key_disabled"


@pytest.mark.parametrize("path", ["verify", "api-key", "register"])
async def test_w2_r2_signature_is_good_once(node, anonymous, path):
    wallet = fresh_wallet()
    body = await signed(node.client, wallet, f"w2{wallet.bare[:8]}")
    assert (await anonymous.post(f"/v1/auth/{path}", body)).status_code in (200, 201)
    for again in ("verify", "api-key", "register"):
        await anonymous.refused(f"/v1/auth/{again}", body, 401, "signature verification failed")


async def test_w2_r2_of_many_who_present_one_signature_exactly_one_wins(node, anonymous):
    wallet = fresh_wallet()
    body = await signed(node.client, wallet, f"race{wallet.bare[:8]}")
    replies = await asyncio.gather(*(anonymous.post("/v1/auth/verify", body) for _ in range(20)))
    assert sorted(reply.status_code for reply in replies) == [200] + [401] * 19


async def test_w2_r2_text_that_was_never_issued_is_refused_however_well_signed(node, anonymous):
    wallet = fresh_wallet()
    body = await signed(node.client, wallet, "w2")
    forged = re.sub(r"Nonce: \w+", "Nonce: 0123456789abcdef0123", body["nonce"])
    for text in (forged, body["nonce"] + "\n", "hello", body["nonce"].replace("w2", "w3")):
        wrong = {**body, "nonce": text, "signature": wallet.sign(text)}
        await anonymous.refused("/v1/auth/verify", wrong, 401, "signature verification failed")
    await anonymous.ok("/v1/auth/verify", body)


async def test_w2_r2_challenge_is_bound_to_wallet_namespace_and_purpose(node, anonymous):
    wallet, other = fresh_wallet(), fresh_wallet()
    body = await signed(node.client, wallet, "w2bound", "register")
    for wrong in (
        {**body, "namespace": "w2elsewhere"},
        {**body, "wallet": other.address},
        {**body, "wallet": other.address, "signature": other.sign(body["nonce"])},
    ):
        await anonymous.refused("/v1/auth/register", wrong, 401)
    await anonymous.refused("/v1/auth/verify", body, 401)
    await anonymous.ok("/v1/auth/register", body, status=201)


async def test_w2_r2_challenge_ends_with_its_time(tmp_path):
    async with running_node(tmp_path, auth__challenge_s=1) as node:
        body = await signed(node.client, fresh_wallet(), "late")
        await asyncio.sleep(1.1)
        await Caller(node.client).refused("/v1/auth/verify", body, 401, "signature verification failed")


async def test_r3_text_to_sign_says_who_asks_for_what_where_and_until_when(node, anonymous):
    wallet = fresh_wallet()
    text = (await anonymous.ok("/v1/auth/challenge", {"wallet": wallet.bare, "namespace": "shop"}))["nonce"]
    first, address, empty, statement, *_ = text.split("\n")
    assert first.endswith(" wants you to sign in with your Ethereum account:")
    assert (address, empty) == (wallet.address, "")
    assert "shop" in statement
    for field in ("URI: http", "Version: 1", "Chain ID: 1", "Nonce: ", "Issued At: ", "Expiration Time: "):
        assert f"\n{field}" in text


async def test_r3_foreign_origin_does_not_become_the_domain(node):
    asked = {"wallet": fresh_wallet().address}
    for origin in ("https://evil.example", "null", "https://[", "javascript:alert(1)"):
        reply = await node.client.post("/v1/auth/challenge", json=asked, headers={"Origin": origin})
        assert reply.status_code == 200
        assert "evil" not in reply.json()["nonce"]


async def test_w4_r4_naming_a_namespace_makes_nobody_its_owner(node, anonymous):
    first, second = fresh_wallet(), fresh_wallet()
    await sign_in(node.client, first, "w4")
    for path in ("verify", "api-key", "register"):
        body = await anonymous.refused(f"/v1/auth/{path}", await signed(node.client, second, "w4"), 403)
        assert body["reason"] == "not_a_member"
    await node.node.auth.namespaces.create(Namespace("w4operator"))
    await anonymous.refused("/v1/auth/verify", await signed(node.client, second, "w4operator"), 403)


async def test_w4_w16_asking_makes_no_namespace(node, anonymous):
    await anonymous.ok("/v1/auth/challenge", {"wallet": fresh_wallet().address, "namespace": "onlyasked"})
    await anonymous.refused(
        "/v1/auth/verify", {"wallet": "0x" + "1" * 40, "nonce": "n", "signature": "s", "namespace": "onlyasked"}, 401
    )
    with on_disk(node.data_dir) as database:
        assert database.execute("SELECT count(*) FROM namespaces WHERE name = 'onlyasked'").get == 0


async def test_w9_r5_secrets_are_not_stored_in_clear(node):
    signed_in = await sign_in(node.client, fresh_wallet(), "w9")
    secret = signed_in["api_key"].split("_")[2].partition(":")[0]
    with on_disk(node.data_dir) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        stored = repr([list(database.execute(f'SELECT * FROM "{table}"')) for table in tables])
    assert len(stored) > 1000
    for kept_to_itself in (secret, signed_in["refresh_token"], signed_in["token"], "PRIVATE KEY"):
        assert kept_to_itself not in stored


async def test_w9_revoked_key_is_dead_at_once_and_an_expired_one_on_time(node):
    key, brief = await node.key("w9"), await node.key("w9", expires_at=int(time.time() * 1000) + 500)
    assert [await whoami(node, X_API_Key=text) for text in (key, brief)] == [200, 200]
    await node.node.auth.api_keys.revoke(Namespace("w9"), key.split("_")[1])
    assert await whoami(node, X_API_Key=key) == 401
    await asyncio.sleep(0.6)
    assert await whoami(node, X_API_Key=brief) == 401, "not even a remembered decision outlives the key"


async def test_w9_each_sign_in_has_a_key_of_its_own(node):
    wallet = fresh_wallet()
    keys = {(await sign_in(node.client, wallet, f"w9{wallet.bare[:8]}"))["api_key"] for _ in range(3)}
    assert len(keys) == 3


async def test_w9_r10_whoami_does_not_echo_the_key(node):
    key = await node.key("w9")
    reply = await node.client.get("/v1/auth/whoami", headers={"X-API-Key": key})
    assert key.split("_")[2] not in reply.text


async def test_w10_r6_refresh_token_used_again_after_the_grace_ends_the_sign_in(tmp_path):
    async with running_node(tmp_path, auth__refresh_grace_s=0.2) as node:
        anonymous = Caller(node.client)
        signed_in = await sign_in(node.client, fresh_wallet(), "w10")
        stolen = signed_in["refresh_token"]
        renewed = await anonymous.ok("/v1/auth/refresh", {"refresh_token": stolen})
        await asyncio.sleep(0.3)
        body = await anonymous.refused("/v1/auth/refresh", {"refresh_token": stolen}, 401)
        assert body["reason"] == "refresh_token_reused"
        await anonymous.refused("/v1/auth/refresh", {"refresh_token": renewed["refresh_token"]}, 401)
        for token in (signed_in["token"], renewed["token"]):
            assert await whoami(node, Authorization=f"Bearer {token}") == 401, "nor do its access tokens live on"
        assert await whoami(node, X_API_Key=signed_in["api_key"]) == 401


async def test_w10_many_refreshes_at_once_have_one_successor(node, anonymous):
    token = (await sign_in(node.client, fresh_wallet(), "w10race"))["refresh_token"]
    answers = await asyncio.gather(*(anonymous.ok("/v1/auth/refresh", {"refresh_token": token}) for _ in range(20)))
    assert len({answer["refresh_token"] for answer in answers}) == 1


async def test_w11_r6_tokens_and_keys_survive_a_restart(tmp_path):
    async with running_node(tmp_path) as node:
        signed_in = await sign_in(node.client, fresh_wallet(), "w11")
        keys = (await node.client.get("/v1/auth/jwks")).json()
    async with running_node(tmp_path) as node:
        assert (await node.client.get("/v1/auth/jwks")).json() == keys
        assert await whoami(node, Authorization=f"Bearer {signed_in['token']}") == 200
        assert await whoami(node, X_API_Key=signed_in["api_key"]) == 200
        await Caller(node.client).ok("/v1/auth/refresh", {"refresh_token": signed_in["refresh_token"]})


async def test_w12_outage_of_the_database_is_503_never_401(tmp_path):
    async with running_node(tmp_path) as node:
        warm, cold = await node.key("demo"), await node.key("demo")
        assert await whoami(node, X_API_Key=warm) == 200
        await node.node.auth.api_keys._database.close()
        for _ in range(2):
            reply = await node.client.get("/v1/auth/whoami", headers={"X-API-Key": cold})
            assert (reply.status_code, reply.json()["code"]) == (503, "UNAVAILABLE")
            assert reply.json()["retryable"] is True
            assert int(reply.headers["retry-after"]) >= 1
        assert await whoami(node, X_API_Key=warm) == 200, "who was known a moment ago still is"
        caller = Caller.with_key(node.client, warm)
        await caller.refused("/v1/rqlite/query", {"sql": "SELECT 1"}, 503)
        await caller.ok("/v1/cache/put", {"dmap": "m", "key": "k", "value": 1})


async def test_w13_token_and_key_are_both_read(node):
    wallet = fresh_wallet()
    signed_in = await sign_in(node.client, wallet, "w13")
    both = Caller(node.client, {"Authorization": f"Bearer {signed_in['token']}", "X-API-Key": signed_in["api_key"]})
    await both.ok("/v1/rqlite/query", {"sql": "SELECT 1"})
    assert (await both.get("/v1/auth/whoami")).json()["method"] == "jwt"


async def test_w14_letter_case_of_a_wallet_makes_no_other_caller(node, anonymous):
    wallet = fresh_wallet()
    subjects = set()
    for spelling in (
        wallet.address,
        wallet.address.lower(),
        wallet.bare,
        wallet.bare.upper(),
        "0X" + wallet.bare.upper(),
    ):
        asked = {"wallet": spelling, "namespace": "w14"}
        text = (await anonymous.ok("/v1/auth/challenge", asked))["nonce"]
        answer = await anonymous.ok("/v1/auth/verify", {**asked, "nonce": text, "signature": wallet.sign(text)})
        assert answer["subject"] == spelling, "the reply repeats what was sent"
        subjects.add(jwt.decode(answer["token"], options={"verify_signature": False})["sub"])
        await Caller.with_token(node.client, answer["token"]).ok("/v1/rqlite/query", {"sql": "SELECT 1"})
    assert subjects == {wallet.subject}


async def test_w14_solana_wallet_is_never_lower_cased(node, anonymous):
    wallet = SolanaWallet(14)
    answer = await sign_in(node.client, wallet, "w14solana")
    assert answer["subject"] == wallet.address
    caller = Caller.with_token(node.client, answer["token"])
    assert (await caller.get("/v1/auth/whoami")).json()["address"] == wallet.address
    made = await anonymous.ok("/v1/auth/api-key", await signed(node.client, wallet, "w14solana"))
    assert made["wallet"] == wallet.address
    body = await signed(node.client, wallet, "w14solana", name="Shop")
    assert (await anonymous.ok("/v1/auth/register", body, status=201))["app"]["wallet"] == wallet.address
    simple = {"wallet": wallet.address, "namespace": "w14nobody"}
    assert (await anonymous.ok("/v1/auth/simple-key", simple))["wallet"] == wallet.address


async def test_w16_one_wallet_has_a_bounded_number_of_open_challenges(node, anonymous):
    asked = {"wallet": fresh_wallet().address}
    replies = [await anonymous.post("/v1/auth/challenge", asked) for _ in range(12)]
    assert [reply.status_code for reply in replies] == [200] * 10 + [429] * 2
    assert 1 <= int(replies[-1].headers["retry-after"]) <= 300


async def test_w17_sign_in_is_limited_by_default(tmp_path):
    async with running_node(tmp_path) as node:
        bodies = [{"refresh_token": f"{number:043}"} for number in range(40)]
        replies = [await node.client.post("/v1/auth/refresh", json=body) for body in bodies]
        statuses = [reply.status_code for reply in replies]
    assert statuses[:30] == [401] * 30
    assert 429 in statuses[30:]


async def test_w19_logout_knows_its_namespace_and_is_never_a_500(node, anonymous):
    wallet = fresh_wallet()
    signed_in = await sign_in(node.client, wallet, "w19")
    await Caller.with_token(node.client, signed_in["token"]).ok("/v1/auth/logout", {"all": True})
    assert await whoami(node, Authorization=f"Bearer {signed_in['token']}") == 401
    await anonymous.refused("/v1/auth/logout", {}, 400, "nothing to revoke")


async def test_w20_signature_with_a_high_s_or_an_odd_v_is_refused(node, anonymous):
    body = await signed(node.client, fresh_wallet(), "w20")
    for twisted in (malleated(body["signature"]), with_v(body["signature"], 29), with_v(body["signature"], 2)):
        await anonymous.refused("/v1/auth/verify", {**body, "signature": twisted}, 401)
    low_v = with_v(body["signature"], int(body["signature"][-2:], 16) - 27)
    await anonymous.ok("/v1/auth/verify", {**body, "signature": low_v.removeprefix("0x")})


async def test_r7_token_without_its_end_or_of_another_making_is_refused(node):
    signed_in = await sign_in(node.client, fresh_wallet(), "r7")
    claims = jwt.decode(signed_in["token"], options={"verify_signature": False})
    key = await node.node.auth.signing_keys.current()
    kid = {"kid": key.kid}

    def sign(changed, *, secret=key.private, algorithm="EdDSA", headers=kid):
        merged = {**claims, **changed}
        return jwt.encode(
            {name: value for name, value in merged.items() if value is not None}, secret, algorithm, headers
        )

    assert await whoami(node, Authorization=f"Bearer {sign({})}") == 200
    now = int(time.time())
    public = (await node.client.get("/v1/auth/jwks")).json()["keys"][0]["x"]
    for case, token in {
        "no exp": sign({"exp": None}),
        "exp 0": sign({"exp": 0}),
        "exp text": sign({"exp": str(now + 900)}),
        "expired": sign({"exp": now - 61}),
        "not yet": sign({"nbf": now + 120}),
        "from the future": sign({"iat": now + 120}),
        "no issuer": sign({"iss": None}),
        "another issuer": sign({"iss": "else"}),
        "another audience": sign({"aud": "else"}),
        "list of audiences": sign({"aud": ["gateway"]}),
        "another namespace": sign({"namespace": "demo"}),
        "another subject": sign({"sub": "0x" + "1" * 40}),
        "no sign-in": sign({"sid": None}),
        "no key id": sign({}, headers={}),
        "unknown key id": sign({}, headers={"kid": "../../etc/passwd"}),
        "none": sign({}, secret=None, algorithm="none"),
        "hmac with the public key": sign({}, secret=public * 2, algorithm="HS256"),
        "key in the header": sign({}, headers={**kid, "jwk": {"kty": "oct", "k": "YQ"}}),
        "key by address": sign({}, headers={**kid, "jku": "http://127.0.0.1/keys"}),
        "critical": sign({}, headers={**kid, "crit": ["exp"]}),
        "too long": sign({"pad": "x" * 9000}),
    }.items():
        assert await whoami(node, Authorization=f"Bearer {token}") == 401, case


async def test_w9_r7_credential_in_the_url_opens_nothing(node):
    key = await node.key("demo")
    for name in ("api_key", "token", "access_token"):
        reply = await node.client.get("/v1/rqlite/schema", params={name: key})
        assert (reply.status_code, reply.json()["reason"]) == (401, "credential_in_url")


# --- Isolation and injection ---


@pytest.mark.parametrize(
    "table", ["api_keys", "refresh_tokens", "families", "namespaces", "members", "signing_keys", "challenges"]
)
async def test_w5_r5_platform_tables_do_not_exist_for_tenants(owner, table):
    await owner.refused("/v1/rqlite/query", {"sql": f"SELECT * FROM {table}"}, 422, f"no such table: {table}")
    for qualified in (f"main.{table}", f"system.{table}", f"_platform.{table}", f"temp.{table}"):
        assert (await owner.post("/v1/rqlite/query", {"sql": f"SELECT * FROM {qualified}"})).status_code in (403, 422)


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH 'system.db' AS p", "ATTACH DATABASE 'file:../system.db?mode=ro' AS p", "VACUUM INTO '/tmp/copy.db'", "DETACH main",
        "PRAGMA database_list", "PRAGMA hard_heap_limit=100000", "PRAGMA max_page_count=1", "PRAGMA writable_schema=1",
        "SELECT load_extension('/tmp/x')", "CREATE VIRTUAL TABLE v USING fts5(a)", "CREATE TEMP TABLE t (a)",
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END", "SELECT * FROM sqlite_schema", "SELECT * FROM pragma_database_list",
        "SELECT * FROM _orama_idempotency", "BEGIN IMMEDIATE", "SAVEPOINT s", "EXPLAIN SELECT 1", "REINDEX", "ANALYZE",
    ],
)  # fmt: skip
async def test_w5_w22_statement_that_reaches_beyond_the_namespace_is_refused(owner, sql):
    for path in ("query", "exec"):
        reply = await owner.post(f"/v1/rqlite/{path}", {"sql": sql})
        assert reply.status_code in (403, 422), reply.text
        assert reply.json()["retryable"] is False


async def test_w8_cache_wants_a_scope_and_a_namespace(node, anonymous):
    await anonymous.refused("/v1/cache/get", {"dmap": "m", "key": "k"}, 401)
    narrow = Caller.with_key(node.client, await node.key("demo", "db:*"))
    for path, body in (("get", {"dmap": "m", "key": "k"}), ("put", {"dmap": "m", "key": "k", "value": 1})):
        await narrow.refused(f"/v1/cache/{path}", body, 403)


async def test_w21_map_of_one_namespace_is_not_that_of_another(node, owner):
    place = {"dmap": "users", "key": "1"}
    await owner.ok("/v1/cache/put", {**place, "value": "w21"})
    for namespace in ("other", "demo2", "demo_users", "dem"):
        other = Caller.with_key(node.client, await node.key(namespace))
        for dmap in ("users", "demo/users", "demo:users", "demo.users", "/demo/users", "demo\u0000users"):
            assert (await other.post("/v1/cache/get", {"dmap": dmap, "key": "1"})).status_code == 404
            assert (await other.ok("/v1/cache/scan", {"dmap": dmap}))["count"] == 0
            await other.ok("/v1/cache/delete", {"dmap": dmap, "key": "1"})
    assert (await owner.ok("/v1/cache/get", place))["value"] == "w21"


@pytest.mark.parametrize("table", ["api_keys", "families", "sqlite_schema", "_orama_idempotency", "namespaces"])
async def test_w22_dropping_a_platform_table_finds_none(owner, table):
    reply = await owner.post("/v1/rqlite/drop-table", {"table": table})
    assert reply.status_code in (403, 404, 422), reply.text
    assert (await owner.get("/v1/auth/whoami")).status_code == 200


async def test_w24_parts_of_a_select_are_not_pasted_into_sql(owner):
    await owner.ok("/v1/rqlite/create-table", {"schema": "CREATE TABLE w24 (id INTEGER, secret TEXT)"}, status=201)
    await owner.exec("INSERT INTO w24 VALUES (1, 'a'), (2, 'b')")
    evil = "1 = 1) OR (1 = 1"
    for path, body in (
        ("find", {"table": "w24", "criteria": {evil: 1}}),
        ("find", {"table": f"w24 WHERE {evil} --"}),
        ("find", {"table": "w24", "order_by": ["id; DROP TABLE w24"]}),
        ("find", {"table": "w24", "select": ["id FROM w24; DROP TABLE w24; --"]}),
        ("select", {"table": "w24", "where": [{"expr": f"id = 1 AND ({evil}"}]}),
        ("select", {"table": "w24", "joins": [{"table": "w24", "on": f"{evil}) --"}]}),
        ("select", {"table": "w24", "group_by": ["id) --"]}),
    ):
        reply = await owner.post(f"/v1/rqlite/{path}", body)
        assert reply.status_code in (400, 422), reply.text
    assert await owner.rows("SELECT count(*) FROM w24") == [[2]]


# --- Web surface ---


async def test_w37_r9_origins_can_be_listed_and_browsers_may_read_ids(tmp_path):
    async with running_node(tmp_path, server__cors_origins=["https://app.example"]) as node:
        mine = await node.client.get("/health", headers={"Origin": "https://app.example"})
        assert mine.headers["access-control-allow-origin"] == "https://app.example"
        assert "X-Request-ID" in mine.headers["access-control-expose-headers"]
        for origin in ("https://evil.example", "https://app.example.evil", "null", "http://app.example"):
            reply = await node.client.get("/health", headers={"Origin": origin})
            assert "access-control-allow-origin" not in reply.headers
            assert reply.headers["vary"] == "Origin"


async def test_w38_r9_sizes_of_a_request_are_bounded(tmp_path):
    async with running_node(tmp_path) as node:
        assert (await node.client.post("/v1/cache/get", content=b"x" * (1 << 21))).status_code in (401, 413)
        caller = Caller.with_key(node.client, await node.key())
        assert (await caller.post("/v1/cache/get", b"x" * (1 << 21))).status_code == 413
        assert (await node.client.get("/health", headers={"X": "x" * 40_000})).status_code == 431
        assert (await node.client.get("/health", headers={f"X{n}": "x" for n in range(200)})).status_code == 431
        assert (await node.client.get("/health?" + "x" * 9000)).status_code == 414


async def test_w38_slow_statement_ends_and_others_are_served_meanwhile(tmp_path):
    async with running_node(tmp_path, database__limits__statement_timeout_s=0.3) as node:
        caller = Caller.with_key(node.client, await node.key())
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        slow = asyncio.create_task(caller.post("/v1/rqlite/query", {"sql": endless}))
        await asyncio.sleep(0.1)
        assert await caller.rows("SELECT 1") == [[1]]
        assert not slow.done()
        reply = await slow
        assert (reply.status_code, reply.json()["retryable"]) == (422, False)


async def test_w39_r7_forwarded_address_is_believed_from_configured_proxies_only(tmp_path):
    forwarded = {"X-Forwarded-For": "10.1.2.3"}
    async with running_node(tmp_path, metrics__networks=["10.0.0.0/8"]) as node:
        assert (await node.client.get("/metrics", headers=forwarded)).status_code == 403
    trusting = {"metrics__networks": ["10.0.0.0/8"], "server__trusted_proxies": ["127.0.0.1"]}
    async with running_node(tmp_path, **trusting) as node:
        assert (await node.client.get("/metrics", headers=forwarded)).status_code == 200
        spoofed = {"X-Forwarded-For": "10.1.2.3, 192.0.2.1"}
        assert (await node.client.get("/metrics", headers=spoofed)).status_code == 403


async def test_w40_public_status_tells_no_addresses_or_paths(node, anonymous):
    for path in ("/v1/status", "/v1/version", "/health", "/ready"):
        text = (await anonymous.get(path)).text
        assert str(node.data_dir) not in text
        assert "127.0.0.1" not in text
        assert "/ip4/" not in text


async def test_w41_replies_are_not_sniffed_and_head_is_answered(node, owner):
    for path in ("/health", "/v1/rqlite/schema", "/nowhere"):
        got, head = await owner.get(path), await owner.send("HEAD", path)
        assert got.headers["x-content-type-options"] == head.headers["x-content-type-options"] == "nosniff"
        assert head.status_code == got.status_code
        assert head.content == b""


# --- Correctness ---


async def test_w44_error_in_the_middle_of_a_transaction_leaves_nothing(owner):
    await owner.ok("/v1/rqlite/create-table", {"schema": "CREATE TABLE w44 (id INTEGER PRIMARY KEY)"}, status=201)
    inserts = [{"kind": "exec", "sql": "INSERT INTO w44 VALUES (?)", "args": [number]} for number in (1, 2, 1)]
    body = await owner.refused("/v1/rqlite/transaction", {"ops": inserts}, 422)
    assert body["retryable"] is False, "a client that repeats it would repeat a failure"
    assert await owner.rows("SELECT count(*) FROM w44") == [[0]]
    tables = ["CREATE TABLE w44b (a)", "INSERT INTO w44b VALUES (1)", "INSERT INTO w44 VALUES (NULL, 2)"]
    await owner.refused("/v1/rqlite/transaction", {"statements": tables}, 422)
    await owner.refused("/v1/rqlite/query", {"sql": "SELECT * FROM w44b"}, 422, "no such table")


async def test_w52_cache_values_keep_their_type(owner):
    for value in ("123", 123, "true", True, False, "null", 1.0, "[1]", [1]):
        await owner.ok("/v1/cache/put", {"dmap": "w52", "key": "k", "value": value})
        found = (await owner.ok("/v1/cache/get", {"dmap": "w52", "key": "k"}))["value"]
        assert (type(found), found) == (type(value), value)


async def test_w53_joins_offsets_nulls_and_large_integers(owner):
    await owner.ok("/v1/rqlite/create-table", {"schema": "CREATE TABLE w53 (id INTEGER, n INTEGER)"}, status=201)
    await owner.exec("INSERT INTO w53 VALUES (?, NULL), (2, 2)", 2**53 + 1)
    for kind in ("", "JOIN", "RIGHT", "FULL"):
        join = {"kind": kind, "table": "w53 b", "on": "a.id = b.id"}
        body = {"table": "w53", "alias": "a", "joins": [join], "select": ["a.id"]}
        assert (await owner.ok("/v1/rqlite/select", body))["count"] == 2, kind
    assert (await owner.ok("/v1/rqlite/find", {"table": "w53", "offset": 1}))["count"] == 1
    found = await owner.ok("/v1/rqlite/find", {"table": "w53", "criteria": {"n": None}})
    assert found["items"] == [{"id": 2**53 + 1, "n": None}]


async def test_w54_request_is_never_written_to_the_database(node, owner):
    with on_disk(node.data_dir) as watcher:
        await owner.get("/v1/auth/whoami")
        version = watcher.execute("PRAGMA data_version").get
        for _ in range(20):
            await owner.ok("/v1/rqlite/query", {"sql": "SELECT 1"})
            await owner.get("/v1/auth/whoami")
        assert watcher.execute("PRAGMA data_version").get == version


async def test_w60_lists_are_never_null(node):
    caller = Caller.with_key(node.client, await node.key("w60"))
    assert (await caller.ok("/v1/cache/scan", {"dmap": "m"}))["keys"] == []
    assert (await caller.ok("/v1/cache/mget", {"dmap": "m", "keys": ["k"]}))["results"] == []
    assert (await caller.get("/v1/rqlite/schema")).json() == {"tables": [], "count": 0}
    answer = await caller.ok("/v1/rqlite/query", {"sql": "SELECT 1 WHERE 0"})
    assert (answer["items"], answer["rows"]) == ([], [])
    ops = [{"kind": "query", "sql": "SELECT 1 WHERE 0"}]
    assert (await caller.ok("/v1/rqlite/transaction", {"ops": ops, "return_results": True}))["results"] == [[]]
