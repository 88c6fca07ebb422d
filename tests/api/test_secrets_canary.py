"""Secrets go through every route, well and badly, at log level debug; then none is found where it must not be."""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
import secrets

import httpx2
import pytest

from support.caller import Caller, sign_in, signed
from support.examples import fresh_wallet
from support.kernel import raw_client
from support.node import node_process, wait_until

QUOTED = "quoted: "
"""What SQLite, or a parser of ours, quotes of a faulty text to the one who sent it; the log knows nothing of it."""


class Canaries:
    """Marks that nothing else contains, by what they stand for."""

    def __init__(self):
        self.marks: dict[str, str] = {}
        self._number = itertools.count()

    def __call__(self, name: str) -> str:
        """A new mark, a harmless word of letters and digits."""
        return self.keep(name, f"canary{next(self._number)}x{secrets.token_hex(8)}")

    def keep(self, name: str, secret: str) -> str:
        """A secret that the node itself made."""
        assert name not in self.marks
        self.marks[name] = secret
        return secret

    def found_in(self, text: str) -> list[str]:
        return [name for name, mark in self.marks.items() if mark in text]


async def use_credentials(client, node, canary, replies):
    """Keys in each form, tokens, refresh tokens and signatures, good and bad."""
    for form, make in {
        "x-api-key": lambda key: {"X-API-Key": key},
        "bearer": lambda key: {"Authorization": f"Bearer {key}"},
        "apikey": lambda key: {"Authorization": f"ApiKey {key}"},
        "bare": lambda key: {"Authorization": key},
    }.items():
        key = node.key("demo")
        canary.keep(f"api key as {form}", key.split("_")[2].partition(":")[0])
        for path in ("/v1/auth/whoami", "/v1/cache/health", "/nowhere", "/health"):
            replies.append(await client.get(path, headers=make(key)))
        replies.append(await client.post("/v1/rqlite/query", content=b"nonsense", headers=make(key)))
        wrong = canary(f"wrong key as {form}")
        replies.append(await client.get("/v1/auth/whoami", headers=make(f"ak_{wrong}:demo")))
    for scheme in ("Basic", "Digest", "Negotiate"):
        replies.append(await client.get("/v1/auth/whoami", headers={"Authorization": f"{scheme} {canary(scheme)}"}))
    for header in (
        "Idempotency-Key",
        "Cookie",
        "Proxy-Authorization",
        "X-Secret",
        "User-Agent",
        "Referer",
        "X-Wallet",
        "Origin",
    ):
        replies.append(await client.get("/v1/auth/whoami", headers={header: canary(f"header {header}")}))

    wallet, anonymous = fresh_wallet(), Caller(client)
    body = await signed(client, wallet, "vault")
    canary.keep("signature", body["signature"])
    canary.keep("nonce", re.search(r"Nonce: (\w+)", body["nonce"])[1])
    answer = await anonymous.ok("/v1/auth/verify", body)
    replies.append(await anonymous.post("/v1/auth/verify", body))
    canary.keep("key of a sign-in", answer["api_key"].split("_")[2].partition(":")[0])
    canary.keep("refresh token", answer["refresh_token"])
    canary.keep("access token", answer["access_token"].split(".")[2])
    token = Caller.with_token(client, answer["access_token"])
    replies.append(await token.get("/v1/auth/whoami"))
    forged = answer["access_token"].rpartition(".")[0] + "." + canary("signature of a forged token")
    replies.append(await Caller.with_token(client, forged).get("/v1/auth/whoami"))
    renewed = await anonymous.ok("/v1/auth/refresh", {"refresh_token": answer["refresh_token"]})
    canary.keep("successor", renewed["refresh_token"])
    replies.append(await anonymous.post("/v1/auth/refresh", {"refresh_token": canary("wrong refresh token")}))
    replies.append(await anonymous.post("/v1/auth/logout", {"refresh_token": renewed["refresh_token"]}))
    replies.append(await anonymous.post("/v1/auth/refresh", {"refresh_token": renewed["refresh_token"]}))
    lasting = await anonymous.ok("/v1/auth/api-key", await signed(client, fresh_wallet(), "lasting"))
    canary.keep("lasting key", lasting["api_key"].split("_")[2].partition(":")[0])
    wrong = {**(await signed(client, wallet, "vault")), "signature": canary("wrong signature")}
    for path in ("verify", "api-key", "register"):
        replies.append(await anonymous.post(f"/v1/auth/{path}", wrong))
        replies.append(await anonymous.post(f"/v1/auth/{path}", {**wrong, "nonce": canary(f"wrong nonce of {path}")}))
    replies.append(await anonymous.post("/v1/auth/challenge", {"wallet": canary("no wallet")}))
    for body in (await signed(client, fresh_wallet(), "keyed"), {**wrong, "nonce": canary("wrong nonce with a key")}):
        headers = {"Idempotency-Key": canary(f"key of a sign-in with {len(body)} fields and {body['nonce'][:20]!r}")}
        replies += [await anonymous.post("/v1/auth/verify", body, headers=headers) for _ in range(2)]


async def use_urls(client, canary, replies):
    for name in ("api_key", "token", "access_token", "password", "q"):
        for path in ("/v1/auth/whoami", "/v1/rqlite/schema", "/health", "/nowhere", "/v1/auth/challenge"):
            replies.append(await client.get(path, params={name: canary(f"query {name} of {path}")}))


async def use_database(owner, canary, replies):
    await owner.ok("/v1/rqlite/create-table", {"schema": "CREATE TABLE t (a UNIQUE, b CHECK (b <> 'no'))"}, status=201)
    secret = canary("argument of an insert")
    insert = {"sql": "INSERT INTO t VALUES (?, ?)", "args": [secret, canary("second argument")]}
    for body in (
        insert,
        insert,
        {"sql": "INSERT INTO t VALUES (?, 'no')", "args": [canary("argument of a failing check")]},
        {"sql": f"UPDATE t SET b = '{canary('literal')}' WHERE a = '{canary('second literal')}'"},
        {"sql": f"UPDATE t SET password = '{canary('literal of a failing statement')}'"},
        {"sql": f"UPDATE t SET a = '{canary(QUOTED + 'literal that is not closed')}"},
        {"sql": f'UPDATE t SET a = "{canary(QUOTED + "literal in the wrong quotes")}"'},
        {"sql": f"INSERT INTO t VALUES ('{canary('literal of a breach')}', 'no')"},
        {"sql": "UPDATE t SET a = ?", "args": []},
        {"sql": "UPDATE t SET a = ?", "args": [canary("argument too many"), 1]},
        {"sql": "INSERT INTO t VALUES (?, ?)", "args": [{"blob": canary("no base64") + "é"}, 1]},
        {
            "sql": "INSERT INTO t VALUES (?, ?)",
            "args": [{"blob": base64.b64encode(canary("blob").encode()).decode()}, {"wrong": canary("wrong argument")}],
        },
        {"sql": f"PRAGMA key = '{canary('pragma')}'"},
        {"sql": f"ATTACH '{canary('attached')}' AS x"},
        {"sql": f"SELECT '{canary('first statement')}'; SELECT '{canary('second statement')}'"},
        {"sql": f"SELECT abs('{canary('argument of a function')}', 1)"},
    ):
        replies.append(await owner.post("/v1/rqlite/exec", body))
        replies.append(await owner.post("/v1/rqlite/query", body))
        replies.append(await owner.post("/v1/rqlite/transaction", {"ops": [body, {"sql": "SELECT nonsense"}]}))
    for path in ("find", "find-one"):
        for column in ("a", "nonsense"):
            criteria = {column: canary(f"criterion {column} of {path}")}
            replies.append(await owner.post(f"/v1/rqlite/{path}", {"table": "t", "criteria": criteria}))
    term = {"expr": "a = ? AND nonsense", "args": [canary("argument of a term")]}
    replies.append(await owner.post("/v1/rqlite/select", {"table": "t", "where": [term], "one": True}))
    term = {"expr": f"a = '{canary(QUOTED + 'expression')}"}
    replies.append(await owner.post("/v1/rqlite/select", {"table": "t", "where": [term]}))
    replies.append(await owner.post("/v1/rqlite/create-table", {"schema": f"SELECT '{canary('no DDL')}'"}))


async def use_slow_statements(owner, canary, replies):
    """Their shape is logged: what they say, in whatever form, is not."""
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT {} FROM n {}"
    for what, after in (
        (f"max(i || '{canary('literal of a slow statement')}')", ""),
        (f"max('it''s {canary('literal with a quote')}' || i)", f"-- {canary('comment')} it's"),
        (f"count(*) /* '{canary('comment within')} */", f"WHERE i <> '-- {canary('literal like a comment')}'"),
        (f'max(i) AS "{canary("name")} of two words", max(i) AS [{canary("name in brackets")} too]', ""),
        ("sum(i) + x'" + secrets.token_hex(8) + "'", f"WHERE i <> '{canary('literal not alone')}' OR i IN (1, '/*')"),
        ("abs(min(-9223372036854775808))", f"WHERE '{canary('literal of a slow failure')}' <> i"),
    ):
        sql = slow.format(what, after)
        replies.append(await owner.post("/v1/rqlite/query", {"sql": sql}))
        replies.append(await owner.post("/v1/rqlite/exec", {"sql": f"INSERT INTO t (a) {sql}"}))
    argument = {"sql": slow.format("max(i || ?)", ""), "args": [canary("argument of a slow statement")]}
    replies.append(await owner.post("/v1/rqlite/query", argument))
    expression = {
        "expr": f"(SELECT max(i || '{canary('literal of an expression')}') FROM ({slow.format('i', '')})) <> a"
    }
    replies.append(await owner.post("/v1/rqlite/select", {"table": "t", "where": [expression]}))


async def use_migrations(owner, canary, replies):
    for sql in (
        f"CREATE TABLE m (x DEFAULT '{canary('default in a migration')}'); INSERT INTO nowhere VALUES (1)",
        f"INSERT INTO t (a, b) VALUES ('{canary('literal of a failing migration')}', 'no')",
        f"SELECT 1; SELECT '{canary(QUOTED + 'literal of a migration that is not closed')}",
        f"PRAGMA key = '{canary('pragma of a migration')}'",
        f"INSERT INTO t (a) VALUES ('{canary('literal of a migration')}')",
        f"INSERT INTO t (a) VALUES ('{canary('literal of a changed migration')}')",
    ):
        files = {"migrations": [{"version": 1, "name": "first", "sql": f"{sql} -- {canary('comment in ' + sql[:60])}"}]}
        for path in ("plan", "apply"):
            replies.append(await owner.post(f"/v1/db/migrations/{path}", files))
    assert [reply.status_code for reply in replies[-12:]] == [
        200,
        422,
        200,
        422,
        400,
        400,
        200,
        403,
        200,
        200,
        200,
        409,
    ]


async def use_cache(owner, canary, replies):
    place = {"dmap": canary("name of a map"), "key": canary("key")}
    for path, body in (
        ("put", {**place, "value": {"password": canary("value")}}),
        ("put", {**place, "value": canary("value with a bad ttl"), "ttl": "soon"}),
        ("put", {**place, "value": canary("value that meets another"), "nx": True}),
        ("get", place),
        ("mget", {**place, "keys": [place["key"]]}),
        ("getput", {**place, "value": canary("second value")}),
        ("incr", place),
        ("expire", {**place, "ttl": -1}),
        ("scan", {**place, "match": "none"}),
        ("scan", {**place, "match": f"({canary(QUOTED + 'pattern')}"}),
        ("delete", place),
        ("get", place),
        ("put", {**place, "value": canary("value too large") * 60_000}),
        ("put", {**place, "value": canary("value of a bad flag"), "nx": "yes"}),
    ):
        replies.append(await owner.post(f"/v1/cache/{path}", body))
    replies.append(
        await owner.post("/v1/cache/put", b'{"dmap": "m", "key": "k", "value": "%s\xff"}' % canary("no UTF-8").encode())
    )


async def use_malformed_requests(node, owner, canary, replies):
    for text in (
        '{"sql": "%s"',
        '{"sql": ["%s"]}',
        '[["%s"]]',
        '"%s"',
        '{"sql": "SELECT 1", "limit": "%s"}',
        '{"\\q%s": 1}',
    ):
        for path in ("/v1/rqlite/query", "/v1/rqlite/find", "/v1/cache/put", "/v1/auth/verify"):
            replies.append(await owner.post(path, (text % canary(f"{text} to {path}")).encode()))
    port = httpx2.URL(node.url).port
    for data in (
        "GET /health HTTP/1.1\r\nHost: a\r\nAuthorization: {0}\r\nAuthorization: {0}\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nAuthorization : {0}\r\n\r\n",
        "POST /v1/cache/get HTTP/1.1\r\nHost: a\r\nX-API-Key: {0}\r\nContent-Length: x\r\n\r\n",
        "{0} / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /health?{0} HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nX: " + "{0}" * 5000 + "\r\n\r\n",
    ):
        async with raw_client(port) as client:
            client.send(data.format(canary(f"malformed {data[:60]}")).encode())
            reply = await client.reply()
            assert reply.status >= 400
            replies.append(httpx2.Response(reply.status, content=reply.body))


async def use_a_damaged_database(client, node, canary, replies):
    """A failure on our side: its cause and stack go to the log."""
    caller = Caller.with_key(client, node.key("damaged"))
    (node.data_dir / "namespaces" / "damaged.db").write_bytes(b"this is no database at all" * 1000)
    for sql in (
        f"SELECT '{canary('literal in a failure')}'",
        f"INSERT INTO t VALUES (?, '{canary('insert in a failure')}')",
    ):
        body = {"sql": sql, "args": [canary(f"argument of {sql}")] if "?" in sql else []}
        for path in ("query", "exec"):
            replies.append(await caller.post(f"/v1/rqlite/{path}", body))
    assert {reply.status_code for reply in replies[-4:]} == {502}


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_no_secret_is_found_outside_its_place(tmp_path, log_format):
    canary, replies = Canaries(), []
    environment = {
        "ORAMA_LOG__LEVEL": "debug",
        "ORAMA_LOG__FORMAT": log_format,
        "ORAMA_LIMITS__ENABLED": "false",
        "ORAMA_DATABASE__LIMITS__SLOW_STATEMENT_S": "0.001",
    }
    with node_process(tmp_path / "data", environment=environment) as node:
        async with httpx2.AsyncClient(base_url=node.url, timeout=30) as client:
            owner = Caller.with_key(client, node.key("demo"))
            await use_credentials(client, node, canary, replies)
            await use_urls(client, canary, replies)
            await use_database(owner, canary, replies)
            await use_slow_statements(owner, canary, replies)
            await use_migrations(owner, canary, replies)
            await use_cache(owner, canary, replies)
            await use_malformed_requests(node, owner, canary, replies)
            await use_a_damaged_database(client, node, canary, replies)
            last = await client.get("/health", headers={"X-Request-ID": "the-last-one"})
            assert last.status_code == 200
            await asyncio.to_thread(wait_until, lambda: "the-last-one" in node.log())
            told = [
                (await client.get(path)).text for path in ("/metrics", "/v1/status", "/v1/version", "/v1/openapi.json")
            ]
        log = node.log()
        assert node.stop() == 0

    assert len(canary.marks) >= 30
    assert len([reply for reply in replies if reply.status_code >= 400]) > 50
    assert "request failed" in log, "a failure on our side was among them"
    assert log.count("slow statement") >= 13, "each of those that are meant to be slow, at least"
    assert canary.found_in(log) == []
    assert canary.found_in("".join(told)) == []
    for reply in replies:
        if reply.status_code >= 400:
            leaked = [name for name in canary.found_in(reply.text) if not name.startswith(QUOTED)]
            assert leaked == [], reply.text


async def test_stored_credentials_are_useless_to_a_thief(tmp_path):
    """No key, token or signature stands in any file of the data directory, nor does the secret that seals them."""
    canary = Canaries()
    with node_process(tmp_path / "data") as node:
        async with httpx2.AsyncClient(base_url=node.url, timeout=30) as client:
            key = node.key("demo")
            canary.keep("key", key.split("_")[2].partition(":")[0])
            assert (await Caller.with_key(client, key).get("/v1/auth/whoami")).status_code == 200
            answer = await sign_in(client, fresh_wallet(), "vault")
            canary.keep("key of a sign-in", answer["api_key"].split("_")[2].partition(":")[0])
            canary.keep("refresh token", answer["refresh_token"])
            canary.keep("token", answer["token"].split(".")[2])
            canary.keep("nonce", re.search(r"Nonce: (\w+)", answer["nonce"])[1])
            renewed = await Caller(client).ok("/v1/auth/refresh", {"refresh_token": answer["refresh_token"]})
            canary.keep("successor", renewed["refresh_token"])
            for path in ("verify", "api-key"):
                body, headers = await signed(client, fresh_wallet(), f"keyed-{path}"), {"Idempotency-Key": canary(path)}
                replies = [await Caller(client).post(f"/v1/auth/{path}", body, headers=headers) for _ in range(2)]
                assert replies[1].headers["idempotency-replayed"] == "true"
                canary.keep(f"key of {path}", replies[1].json()["api_key"].split("_")[2].partition(":")[0])
                canary.keep(f"signature of {path}", body["signature"])
        files = [file for file in node.data_dir.rglob("*") if file.is_file() and file.name != "cluster.key"]
        stored = b"".join(file.read_bytes() for file in files)
    assert len(stored) > 10_000
    assert canary.found_in(stored.decode("latin-1")) == []
    assert (node.data_dir / "cluster.key").read_bytes() not in stored
    assert b"PRIVATE KEY" not in stored
