"""Whatever is sent, the answer is a 4xx in the one error form: never a 5xx, never a hang, never a half-done write.

The envelope of each refusal, and that the document announces it, is checked by the client of the fixture `node`.
"""

from __future__ import annotations

import json
import random

import msgspec
import pytest
import pytest_asyncio

from orama.gateway.handlers.audit import AuditHandlers
from orama.gateway.handlers.auth import AuthHandlers
from orama.gateway.handlers.cache import CacheHandlers
from orama.gateway.handlers.database import DatabaseHandlers
from orama.gateway.handlers.invitation import InvitationHandlers
from orama.gateway.handlers.key import KeyHandlers
from orama.gateway.handlers.login import LoginHandlers
from orama.gateway.handlers.namespace import NamespaceHandlers
from orama.gateway.handlers.pubsub import PubSubHandlers
from orama.gateway.handlers.system import SystemHandlers
from orama.gateway.handlers.wallet import WalletHandlers
from orama.gateway.kernel.operation import WALLET, operations_of
from support.caller import filled
from support.examples import example, prepare, wallet_caller

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
    *operations_of("cache", CacheHandlers),
    *operations_of("pubsub", PubSubHandlers),
]
WITH_BODY = {one.name: one for one in TABLE if one.request is not None and one.method in ("POST", "PUT")}
WITH_QUERY = {
    one.name: one
    for one in TABLE
    if one.request is not None and one.method in ("GET", "DELETE") and "{" not in one.path
}
WITHOUT = {one.name: one for one in TABLE if one.request is None and one.name != "namespace.leave"}

NO_JSON_OBJECT = {
    "half": b"{",
    "text": b"nonsense",
    "array": b"[]",
    "null": b"null",
    "number": b"1",
    "string": b'"x"',
    "two_objects": b"{} {}",
    "trailing_text": b"{}x",
    "bad_utf8": b'{"\xff": 1}x',
    "utf16": '{"a": 1}'.encode("utf-16"),
    "byte_order_mark": b"\xef\xbb\xbf{}",
    "nul": b"\0",
    "nul_after": b"{}\0",
    "comment": b"{/* */}",
    "single_quotes": b"{'a': 1}",
    "deep_arrays": b"[" * 100_000,
    "deep_objects": b'{"a":' * 50_000,
    "deep_inside": b'{"x": ' + b"[" * 65 + b"]" * 65 + b"}",
    "white_space": b" \n\t ",
    "form": b"a=1&b=2",
}

# What stands in the place of any field, as JSON.
ODD_VALUES = [
    "null", "true", "0", "-1", "1.5", "1e308", "1e999", "-1e999", "18446744073709551616", "1" * 400, "[]", "{}",
    "[null]", "[[]]", '{"a": []}', '""', '" "', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"',
    "NaN", "Infinity", "-0", '"\\u202e"', '"%00"', '"../../etc/passwd"', '"\'; DROP TABLE notes; --"', '"?"', '"(" ',
    '"(a+)+$"', '"99999999999h"', '"-1ns"', '"1e5s"', f'"{"x" * 5000}"', '"\\\\"', '"_orama"', '"sqlite_schema"', "[0, 0, 0]",
    '{"blob": "é"}', '[{"blob": "é"}]', '[{"blob": 1}]', "[18446744073709551616]", "[1e999]", '["\\ud800"]', "[NaN]",
    '[{"expr": "1", "conj": "XOR"}]', '[{"table": "notes", "kind": "SIDEWAYS"}]', '[{"sql": ""}]', '[{"sql": "\\u0000"}]',
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(owner):
    await prepare(owner)
    return owner


async def asking(node, caller, name):
    """Who may send the operation: a wallet what is for wallets, the owner's key the others."""
    one = next(one for one in TABLE if one.name == name)
    return await wallet_caller(node) if one.scope == WALLET else caller


async def send(node, caller, name, body):
    """The operation with `body`, at the path of an example."""
    one = WITH_BODY[name]
    who = await asking(node, caller, name)
    path, _ = filled(one, await example(node, name, caller=who))
    return await who.send(one.method, path, body)


@pytest.mark.parametrize("name", WITH_BODY)
@pytest.mark.parametrize("case", NO_JSON_OBJECT)
async def test_body_that_is_no_object_is_400(caller, node, name, case):
    reply = await send(node, caller, name, NO_JSON_OBJECT[case])
    assert (reply.status_code, reply.json()["code"]) == (400, "INVALID_ARGUMENT")
    assert reply.json()["reason"] in ("invalid_json", "invalid_body", "json_too_deep")


@pytest.mark.parametrize("name", WITH_BODY)
async def test_empty_body_is_400_unless_the_operation_needs_none(caller, node, name):
    reply = await send(node, caller, name, b"")
    if not WITH_BODY[name].body_optional:
        assert (reply.status_code, reply.json()["reason"]) == (400, "invalid_json")
    else:
        assert reply.status_code in (WITH_BODY[name].status, 400, 401)


@pytest.mark.parametrize("name", WITH_BODY)
async def test_huge_body_is_413(caller, node, name):
    body = b'{"a": "' + b"x" * (WITH_BODY[name].max_body_bytes or 1 << 20) + b'"}'
    reply = await send(node, caller, name, body)
    assert (reply.status_code, reply.json()["code"]) == (413, "TOO_LARGE")


@pytest.mark.parametrize("name", WITH_BODY)
async def test_odd_value_in_any_field_is_served_or_a_4xx(caller, node, name):
    one = WITH_BODY[name]
    who = await asking(node, caller, name)
    good = await example(node, name, caller=who)
    path, _ = filled(one, good)
    refused = 0
    for field in msgspec.structs.fields(one.request):
        for value in ODD_VALUES:
            if name == "auth.challenge":  # a wallet has ten of them at most
                good = await example(node, name)
            rest = {key: entry for key, entry in good.items() if key != field.encode_name}
            body = f'{{"{field.encode_name}": {value}{", " if rest else ""}{json.dumps(rest)[1:]}'
            reply = await who.send(one.method, path, body.encode())
            assert reply.status_code < 500, (body, reply.text)
            assert reply.status_code not in (408, 429), "a client would send this again"
            refused += reply.status_code >= 400
    assert refused > len(ODD_VALUES) / 2, "most of these are wrong anywhere"
    await prepare(caller)


@pytest.mark.parametrize("name", WITH_BODY)
async def test_garbled_bodies_are_served_or_a_4xx(caller, node, name):
    """Bytes of a good body changed at random; the seed is fixed, and shown by the assertion."""
    seed = f"20261124-{name}"
    source = random.Random(seed)
    who = await asking(node, caller, name)
    fields = await example(node, name, caller=who)
    path, _ = filled(WITH_BODY[name], fields)
    good = json.dumps(fields).encode()
    for _ in range(40):
        body = bytearray(good)
        for _ in range(source.randint(1, 4)):
            place = source.randrange(len(body))
            body[place : place + source.randint(0, 2)] = source.choice(
                [b"", b"\0", b"\xff", b'"', b"{", b"9", b"\\u", b","]
            )
        reply = await who.send(WITH_BODY[name].method, path, bytes(body))
        assert reply.status_code < 500, (seed, bytes(body), reply.text)
    await prepare(caller)


IN_PATH = [one.name for one in TABLE if "{" in one.path]


@pytest.mark.parametrize("name", IN_PATH)
@pytest.mark.parametrize(
    "value", ["x", "%2e%2e", "a%2Fb", "%20", "'%20OR%201", "a" * 2000, "%F0%9F%98%80", "%00", "%ff", "ak_", "{id}", "*"]
)
async def test_odd_parameter_of_a_path_is_refused_as_unknown_or_malformed(caller, node, name, value):
    one, who = next(one for one in TABLE if one.name == name), await asking(node, caller, name)
    _, body = filled(one, await example(node, name))
    path = one.path.partition("{")[0] + value + one.path.partition("}")[2]
    reply = await who.send(one.method, path, body)
    assert reply.status_code in (400, 404), reply.text


@pytest.mark.parametrize("name", WITHOUT)
@pytest.mark.parametrize("query", ["%ff=%fe", "a=%00", "&&&=&", "a=1&" * 1000, "%zz", "a[]=1&a[b]=2", "\u00e9"])
async def test_odd_query_harms_nothing(caller, node, name, query):
    one, who = WITHOUT[name], await asking(node, caller, name)
    reply = await who.send(one.method, f"{one.path}?{query}")
    assert reply.status_code == one.status, reply.text


@pytest.mark.parametrize("name", WITH_QUERY)
async def test_odd_value_in_any_field_of_the_query_is_served_or_a_4xx(caller, node, name):
    one, who = WITH_QUERY[name], await asking(node, caller, name)
    good = await example(node, name, caller=who) or {}
    refused = 0
    for field in msgspec.structs.fields(one.request):
        for value in [
            "",
            " ",
            "\0",
            "a\nb",
            "é" * 500,
            "x" * 5000,
            "[]",
            "-1",
            "1e9",
            "9" * 400,
            "*",
            ">",
            ">.a",
            "true",
        ]:
            reply = await who.call(node, one, {**good, field.encode_name: value})
            assert reply.status_code < 500, (field.name, value, reply.text)
            refused += reply.status_code >= 400
    assert refused > 5
    for query in ("%ff=%fe", "a=1&" * 101, "topic=%ed%a0%80"):
        assert (await who.call(node, msgspec.structs.replace(one, path=f"{one.path}?{query}"))).status_code == 400


@pytest.mark.parametrize("name", [one.name for one in TABLE])
async def test_odd_credentials_are_401_or_ignored(node, name):
    one = next(one for one in TABLE if one.name == name)
    for value in (
        b"\xff\xfe",
        b"ak_\xc3\xa9:demo",
        b"a" * 5000,
        b"..",
        b"...",
        b"Bearer",
        b"eyJ.eyJ.x",
        b"a:b:c",
    ):
        for header in ("X-API-Key", "Authorization"):
            headers = {header.encode(): value}
            if one.websocket:
                continue  # held against raw bytes where WebSockets are tested
            fields = await example(node, name)
            sent = {"params": fields} if one.method == "GET" else {"json": fields}
            reply = await node.client.request(one.method, one.path, headers=headers, **sent)
            expected = {one.status} if one.scope == "public" else {401}
            assert reply.status_code in expected, (header, value, reply.text)
            assert reply.status_code < 400 or value.decode("latin-1") not in reply.text or len(value) < 4


VALUES_NOT_JSON = [
    b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'{"a": "\xff"}', b'{"\xff": 1}', b'["ok", "\xc3"]', b'"\\ud800"',
    b'"a\x01b"', b'"\x00"', b'"\t"', b'"\\q"', b'"\\u12"', b"01", b"1.", b".5", b"+1", b"-", b"1e", b"0x10", b"1_000", b"tru",
    b"NaN", b"Infinity", b"[1,]", b'{"a": 1,}', b'{"a" 1}', b"{1: 2}", b"{a: 1}", b"'x'", b"[1 2]", b"", b"[\x0c1]",
]  # fmt: skip


@pytest.mark.parametrize("path", ["put", "getput"])
@pytest.mark.parametrize("value", VALUES_NOT_JSON, ids=repr)
async def test_cache_stores_nothing_that_is_not_json_in_utf8(caller, path, value):
    place = {"dmap": "raw", "key": repr(value)}
    body = b'{"dmap": "raw", "key": %s, "value": %s}' % (json.dumps(place["key"]).encode(), value)
    reply = await caller.post(f"/v1/cache/{path}", body)
    assert (reply.status_code, reply.json()["code"]) == (400, "INVALID_ARGUMENT")
    await caller.refused("/v1/cache/get", place, 404)


@pytest.mark.parametrize(
    "value",
    ['"\\u0000"', '"\x7f"', '"\u2028"', '"\U0001f600"', "1e999", "-0", "1E-400", "[[[[]]]]", ' {"a" : 1} '],
    ids=ascii,
)
async def test_cache_keeps_odd_json_as_it_is(caller, value):
    await caller.ok("/v1/cache/put", f'{{"dmap": "raw", "key": "odd", "value": {value}}}'.encode())
    reply = await caller.post("/v1/cache/get", {"dmap": "raw", "key": "odd"})
    assert f'"value":{value.strip()}' in reply.text


@pytest.mark.parametrize(
    "match",
    ["(", "[", "*", "(?<=a)b", r"(a)\1", "a{1001}", "((a{100}){100}){100}", "\\", "x" * 1025, "(?P<n", "a\x00("],
)
async def test_pattern_that_is_wrong_or_costly_is_400(caller, match):
    body = await caller.refused("/v1/cache/scan", {"dmap": "notes", "match": match}, 400, "match")
    assert body["reason"] == "invalid_pattern"


@pytest.mark.parametrize("delta", [2**63, -(2**63) - 1, 10**30, 0.5, "1", None, True])
async def test_increment_beyond_64_bits_is_400(caller, delta):
    await caller.refused("/v1/cache/incr", {"dmap": "notes", "key": "n", "delta": delta}, 400)


async def test_sum_beyond_64_bits_is_422_and_changes_nothing(caller):
    place = {"dmap": "notes", "key": "edge"}
    await caller.ok("/v1/cache/put", {**place, "value": 2**63 - 1})
    body = await caller.refused("/v1/cache/incr", {**place, "delta": 1}, 422)
    assert body["reason"] == "not_an_integer"
    assert (await caller.ok("/v1/cache/get", place))["value"] == 2**63 - 1


@pytest.mark.parametrize("name", ["k" * 1025, "é" * 513, "\U0001f600" * 257])
async def test_name_longer_than_its_bytes_allow_is_400(caller, name):
    for place in ({"dmap": name, "key": "k"}, {"dmap": "m", "key": name}):
        body = await caller.refused("/v1/cache/get", place, 400, "longer than 1024 bytes")
        assert body["reason"] == "key_too_long"
    keys = {"dmap": "m", "keys": ["k"] * 1001}
    assert (await caller.refused("/v1/cache/mget", keys, 400, "too many keys"))["reason"] == "too_many_keys"


@pytest.mark.parametrize(
    "argument",
    [2**63, -(2**63) - 1, 10**100, [], [1], {}, {"blob": 1}, {"blob": "?"}, {"blob": "é"}, {"blob": "YQ==", "x": 1}, {"a": 1}, "\ud800"],
)  # fmt: skip
async def test_argument_that_sql_has_no_kind_for_is_400(caller, argument):
    for path, body in (
        ("query", {"sql": "SELECT ?", "args": [argument]}),
        ("exec", {"sql": "INSERT INTO notes (text) VALUES (?)", "args": [argument]}),
        ("find", {"table": "notes", "criteria": {"text": argument}}),
        ("select", {"table": "notes", "where": [{"expr": "text = ?", "args": [argument]}]}),
        ("transaction", {"ops": [{"sql": "INSERT INTO notes (text) VALUES (?)", "args": [argument]}]}),
    ):
        await caller.refused(f"/v1/rqlite/{path}", json.dumps(body).encode(), 400)


@pytest.mark.parametrize(
    ("sql", "status"),
    [
        ("", 400), ("   ", 400), (";", 400), ("-- comment", 400), ("\0", 400), ("SELECT 1\0", 400), ("SELECT 'a\0b'", 400),
        ("SELECT 1; DROP TABLE notes", 400), ("SELECT ?2", 400), ("SELECT ?, ?", 400), ("SELECT :a", 400),
        ("SELECT (", 422), ("SELECT 'open", 422), ("SELECT nonsense", 422), ("SELECT * FROM nothing", 422),
        ("SELECT load_extension('x')", 403), ("SELECT zeroblob(500000000)", 403), ("SELECT randomblob(1e9)", 403),
        ("SELECT printf('%1000000000d', 1)", 403), ("SELECT writefile('x', 'y')", 422), ("SELECT abs(-9223372036854775807 - 1)", 422),
        ("BEGIN", 403), ("COMMIT", 403), ("ROLLBACK", 403), ("SAVEPOINT a", 403), ("VACUUM", 403), ("REINDEX", 403), ("ANALYZE", 403),
        ("EXPLAIN SELECT 1", 403), ("ATTACH 'x' AS y", 403), ("DETACH main", 403), ("PRAGMA hard_heap_limit=1", 403),
        ("SELECT " + "abs(" * 2000 + "1" + ")" * 2000, 422), ("SELECT 1" + " + 1" * 5000, 422), ("SELECT " + "1," * 3000 + "1", 422),
        ("x" * 100_001, 413), ("SELECT '" + "x" * 100_001 + "'", 413), ("SELECT 1 UNION ALL " * 600 + "SELECT 1", 422),
    ],
    ids=lambda value: ascii(value)[:40],
)  # fmt: skip
async def test_sql_that_cannot_be_is_a_4xx(caller, sql, status):
    for path in ("query", "exec"):
        reply = await caller.post(f"/v1/rqlite/{path}", {"sql": sql})
        assert reply.status_code == status, reply.text
    assert await caller.rows("SELECT text FROM notes WHERE id = 1") == [["hello"]]


async def test_sql_with_a_lone_surrogate_is_400(caller):
    for body in (b'{"sql": "SELECT \'\\ud800\'"}', b'{"sql": "SELECT \'\xed\xa0\x80\'"}', b'{"sql": "\\udfff"}'):
        for path in ("query", "exec"):
            assert (await caller.post(f"/v1/rqlite/{path}", body)).status_code == 400


async def test_numbers_that_are_none_come_back_as_json(caller):
    """SQLite knows infinity; JSON does not."""
    reply = await caller.post(
        "/v1/rqlite/query", {"sql": "SELECT 9e999 AS big, -9e999 AS small, 9e999 - 9e999 AS none"}
    )
    assert reply.status_code == 200
    (row,) = msgspec.json.decode(reply.content)["items"]
    assert row == {"big": None, "small": None, "none": None}


async def test_answer_larger_than_its_bound_is_413_that_names_it(caller):
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT {} FROM n"
    await caller.refused("/v1/rqlite/query", {"sql": numbers.format(10_001, "i")}, 413, "10000")
    await caller.refused("/v1/rqlite/query", {"sql": numbers.format(9000, "hex(zeroblob(1))")}, 403)
    large = numbers.format(9000, "replace(hex(i), '3', '" + "x" * 2000 + "') AS large")
    await caller.refused("/v1/rqlite/query", {"sql": large}, 413, "8388608")


async def test_limits_of_a_batch_are_413_that_name_them(caller):
    body = await caller.refused("/v1/rqlite/transaction", {"statements": ["SELECT 1"] * 1001}, 413, "1000")
    assert body["details"] == {"limit": 1000, "value": 1001}
    body = await caller.refused("/v1/rqlite/query", {"sql": "SELECT 1", "args": [1] * 1001}, 413, "1000")
    assert body["details"] == {"limit": 1000, "value": 1001}


@pytest.mark.parametrize(
    "part",
    [
        {"select": ["1; DROP TABLE notes"]}, {"select": ["(SELECT 1"]}, {"select": ["1) FROM notes --"]}, {"select": [""]},
        {"select": ["'"]}, {"select": ["?"]}, {"order_by": ["id; --"]}, {"order_by": ["id DESC, ("]}, {"order_by": ["/*"]},
        {"group_by": ["id)"]}, {"where": [{"expr": "1) OR (1"}]}, {"where": [{"expr": "1 --"}]}, {"where": [{"expr": ""}]},
        {"where": [{"expr": "id = ?"}]}, {"where": [{"expr": "id = ?1", "args": [1]}]}, {"where": [{"expr": "1", "args": [1]}]},
        {"where": [{"expr": "1", "conj": "; DROP"}]}, {"joins": [{"table": "notes", "on": "1) --"}]},
        {"joins": [{"table": "", "on": "1"}]}, {"joins": [{"table": "notes", "kind": "LEFT; --", "on": "1"}]}, {"limit": -1},
        {"offset": -1}, {"table": ""}, {"table": "a..b"}, {"table": "no\0tes"}, {"alias": "a\0b"},
    ],
    ids=ascii,
)  # fmt: skip
async def test_parts_of_a_select_that_are_not_what_they_must_be_are_400(caller, part):
    body = await caller.refused("/v1/rqlite/select", {"table": "notes", **part}, 400)
    assert body["code"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "part",
    [
        {"table": "notes; DROP TABLE notes"}, {"table": 'notes" --'}, {"table": "notes UNION SELECT 1"}, {"alias": 'a" --'},
        {"criteria": {"id = 1 OR 1": 1}}, {"criteria": {'id" = 1 --': 1}}, {"table": "(SELECT 1)"}, {"limit": 2**64},
    ],
    ids=ascii,
)  # fmt: skip
async def test_names_are_names_whatever_they_look_like(caller, part):
    path = "find" if "criteria" in part else "select"
    reply = await caller.post(f"/v1/rqlite/{path}", {"table": "notes", **part})
    assert reply.status_code in (200, 400, 422), reply.text
    assert await caller.rows("SELECT text FROM notes WHERE id = 1") == [["hello"]]


@pytest.mark.parametrize(
    "namespace", ["a:b", "a/b", "../x", "_platform", "-a", "é", "a" * 65, "a b", "\0", "a.b", "default\n"]
)
@pytest.mark.parametrize("path", ["challenge", "verify", "api-key", "register", "simple-key", "refresh", "logout"])
async def test_namespace_that_cannot_be_is_400(caller, path, namespace):
    body = {
        "wallet": "0x" + "1" * 40,
        "nonce": "n",
        "signature": "s",
        "refresh_token": "A" * 43,
        "namespace": namespace,
    }
    assert (await caller.refused(f"/v1/auth/{path}", body, 400))["reason"] == "invalid_namespace"


@pytest.mark.parametrize(
    "signature",
    ["0x", "0x" + "g" * 130, "0x" + "0" * 130, "0x" + "f" * 130, "é", "\0", "1" * 100_000, "0x" + "1" * 131],
)
async def test_signature_that_is_none_is_401(anonymous, node, signature):
    body = {**(await example(node, "auth.verify")), "signature": signature}
    await anonymous.refused("/v1/auth/verify", body, 401, "signature verification failed")


@pytest.mark.parametrize("nonce", ["x", "\0", "é" * 5000, "a" * 500_000, "\n" * 1000, "\U0001f600"])
async def test_text_that_was_never_given_out_is_401(anonymous, nonce):
    body = {"wallet": "0x" + "1" * 40, "nonce": nonce, "signature": "0x" + "1" * 130}
    await anonymous.refused("/v1/auth/verify", body, 401, "signature verification failed")
