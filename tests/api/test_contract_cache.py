"""``/v1/cache`` as existing clients use it (wire §10, decision 10)."""

from __future__ import annotations

import asyncio
import json

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

VALUES = [
    "text", "", "123", "true", "null", "grüße \U0001f600 \u0000", 0, -1, 123, 2**53 + 1, 2**63 - 1, -(2**63), 10**30,
    1.5, 1e300, -0.0, True, False, [], {}, [None], {"a": {"b": [1, "2", None, True]}}, {"": ""},
]  # fmt: skip


async def put(caller, key, value, **options):
    return await caller.ok("/v1/cache/put", {"dmap": "contract", "key": key, "value": value, **options})


async def get(caller, key):
    return (await caller.ok("/v1/cache/get", {"dmap": "contract", "key": key}))["value"]


async def test_health_names_the_service_that_clients_check_for(owner):
    assert (await owner.get("/v1/cache/health")).json() == {"status": "ok", "service": "olric"}


async def test_put_get_and_delete_answer_in_their_known_forms(owner):
    assert await put(owner, "k", {"a": 1}) == {"status": "ok", "key": "k", "dmap": "contract"}
    place = {"dmap": "contract", "key": "k"}
    assert await owner.ok("/v1/cache/get", place) == {**place, "value": {"a": 1}}
    assert await owner.ok("/v1/cache/delete", place) == {**place, "status": "ok"}
    assert await owner.ok("/v1/cache/delete", place) == {**place, "status": "ok"}, "a missing key is no error"
    await owner.refused("/v1/cache/get", place, 404, "key not found")


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_value_comes_back_with_its_exact_json_type(owner, value):
    await put(owner, "exact", value)
    found = await get(owner, "exact")
    assert (type(found), found) == (type(value), value)
    assert repr(found) == repr(value)


@pytest.mark.parametrize(
    "text", ["1.0", "1e2", "1.10", "12345678901234567890.123456789", '"\\u0061"', '"\\ud83d\\ude00"']
)
async def test_value_comes_back_byte_for_byte(owner, text):
    await owner.ok("/v1/cache/put", b'{"dmap": "contract", "key": "raw", "value": ' + text.encode() + b"}")
    reply = await owner.post("/v1/cache/get", {"dmap": "contract", "key": "raw"})
    assert f'"value":{text}' in reply.text


async def test_mget_answers_hits_in_the_order_asked_for_and_never_null(owner):
    await put(owner, "a", 1)
    await put(owner, "b", "two")
    asked = {"dmap": "contract", "keys": ["b", "missing", "a", "b"]}
    assert await owner.ok("/v1/cache/mget", asked) == {
        "results": [{"key": "b", "value": "two"}, {"key": "a", "value": 1}, {"key": "b", "value": "two"}],
        "dmap": "contract",
    }
    assert (await owner.ok("/v1/cache/mget", {"dmap": "contract", "keys": ["none"]}))["results"] == []


async def test_scan_finds_by_regular_expression_and_never_answers_null(owner):
    for key in ("user-1", "user-2", "my-user-3", "order.1"):
        await owner.ok("/v1/cache/put", {"dmap": "people", "key": key, "value": 1})

    async def scan(**options):
        return await owner.ok("/v1/cache/scan", {"dmap": "people", **options})

    found = await scan(match="^user-")
    assert (sorted(found["keys"]), found["count"], found["dmap"]) == (["user-1", "user-2"], 2, "people")
    assert (await scan())["count"] == 4
    assert sorted((await scan(match="user"))["keys"]) == ["my-user-3", "user-1", "user-2"]
    assert (await scan(match=r"order\.\d"))["keys"] == ["order.1"]
    assert await scan(match="^nothing$") == {"keys": [], "count": 0, "dmap": "people"}


@pytest.mark.parametrize("ttl", ["30s", "1h30m", "1.5h", "300ms", "+5s", 1, 3600])
async def test_ttl_is_accepted_as_a_go_duration_or_whole_seconds(owner, ttl):
    assert (await put(owner, "ttl", 1, ttl=ttl))["status"] == "ok"


@pytest.mark.parametrize("ttl", ["5", "soon", "-1s", "0s", "1d", 0, -1, "9999999h"])
async def test_ttl_that_is_none_is_400(owner, ttl):
    await owner.refused("/v1/cache/put", {"dmap": "contract", "key": "ttl", "value": 1, "ttl": ttl}, 400, "invalid ttl")


@pytest.mark.parametrize("ttl", [1.5, True, [], {}])
async def test_ttl_of_another_type_is_400(owner, ttl):
    await owner.refused("/v1/cache/put", {"dmap": "contract", "key": "ttl", "value": 1, "ttl": ttl}, 400)


async def test_value_is_gone_after_its_ttl(owner):
    await put(owner, "brief", 1, ttl="50ms")
    await put(owner, "long", 1, ttl="1h")
    await put(owner, "cleared", 1, ttl="50ms")
    await put(owner, "cleared", 2)
    await asyncio.sleep(0.1)
    await owner.refused("/v1/cache/get", {"dmap": "contract", "key": "brief"}, 404, "key not found")
    assert [await get(owner, "long"), await get(owner, "cleared")] == [1, 2]


@pytest.mark.parametrize("path", ["get", "put", "delete", "incr", "getput", "expire"])
@pytest.mark.parametrize(
    "place", [{}, {"dmap": "m"}, {"key": "k"}, {"dmap": " ", "key": "k"}, {"dmap": "m", "key": "\t"}]
)
async def test_map_and_key_are_required(owner, path, place):
    body = {"value": 1, "ttl": "1s", **place}
    for field in {"value", "ttl"} - {"put": {"value"}, "getput": {"value"}, "expire": {"ttl"}}.get(path, set()):
        del body[field]
    await owner.refused(f"/v1/cache/{path}", body, 400, "dmap and key are required")


async def test_other_fields_are_required_in_the_words_that_clients_know(owner):
    place = {"dmap": "m", "key": "k"}
    for body in (place, {**place, "value": None}):
        await owner.refused("/v1/cache/put", body, 400, "value is required")
    await owner.refused("/v1/cache/mget", {"keys": ["a"]}, 400, "dmap is required")
    for body in ({"dmap": "m"}, {"dmap": "m", "keys": []}):
        await owner.refused("/v1/cache/mget", body, 400, "keys array is required and cannot be empty")
    await owner.refused("/v1/cache/scan", {}, 400, "dmap is required")
    await owner.refused("/v1/cache/scan", {"dmap": "m", "match": "("}, 400, "match is not an RE2 expression")
    await owner.refused("/v1/cache/put", b"nonsense", 400, "invalid json body")


async def test_conditions_getput_incr_and_expire(owner):
    place = {"dmap": "contract", "key": "conditional"}
    await owner.refused("/v1/cache/put", {**place, "value": 1, "xx": True}, 404, "key not found")
    await owner.ok("/v1/cache/put", {**place, "value": 1, "nx": True})
    assert (await owner.refused("/v1/cache/put", {**place, "value": 2, "nx": True}, 409))["reason"] == "key_exists"
    assert (await owner.ok("/v1/cache/getput", {**place, "value": 5}))["value"] == 1
    assert await owner.ok("/v1/cache/incr", {**place, "delta": -7}) == {**place, "value": -2}
    assert (await owner.ok("/v1/cache/incr", place))["value"] == -1
    assert await owner.ok("/v1/cache/expire", {**place, "ttl": "1h"}) == {**place, "status": "ok"}
    await owner.refused("/v1/cache/expire", {**place, "key": "none", "ttl": "1h"}, 404, "key not found")
    await put(owner, "text", "a")
    body = await owner.refused("/v1/cache/incr", {"dmap": "contract", "key": "text"}, 422)
    assert body["reason"] == "not_an_integer"


async def test_increments_of_many_callers_add_up(owner):
    place = {"dmap": "contract", "key": "together"}
    answers = await asyncio.gather(*(owner.ok("/v1/cache/incr", place) for _ in range(50)))
    assert sorted(answer["value"] for answer in answers) == list(range(1, 51))


async def test_map_names_are_apart_however_they_are_spelled(owner):
    places = [
        ("a", "b:c"),
        ("a:b", "c"),
        ("a/b", "c"),
        ("a", "b/c"),
        ("a\u0000b", "c"),
        ("a", "b\u0000c"),
        ("A", "b:c"),
    ]
    for number, (dmap, key) in enumerate(places):
        await owner.ok("/v1/cache/put", {"dmap": dmap, "key": key, "value": number})
    for number, (dmap, key) in enumerate(places):
        found = await owner.ok("/v1/cache/get", {"dmap": dmap, "key": key})
        assert found == {"dmap": dmap, "key": key, "value": number}


async def test_large_value_is_stored_up_to_its_limit(owner):
    body = json.dumps({"dmap": "contract", "key": "large", "value": "x" * 1_000_000}).encode()
    await owner.ok("/v1/cache/put", body)
    assert len(await get(owner, "large")) == 1_000_000
