"""Who is there: joins, leaves and the list of members, as clients know them, through both drivers."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from contextlib import AsyncExitStack
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from support.caller import Caller, sign_in
from support.examples import fresh_wallet
from support.websocket import Refused, is_asgi, socket

pytestmark = pytest.mark.asyncio(loop_scope="module")


def be(node, caller, topic, member_id, meta=None, **query):
    """A socket that is present."""
    query = {"topic": topic, "presence": "true", "member_id": member_id, **query}
    if meta is not None:
        query["member_meta"] = meta if isinstance(meta, str) else json.dumps(meta)
    return socket(node, f"/v1/pubsub/ws?{urlencode(query)}", caller.headers)


def listen(node, caller, topic):
    return socket(node, f"/v1/pubsub/ws?{urlencode({'topic': topic})}", caller.headers)


async def members(caller, topic):
    return (await caller.get("/v1/pubsub/presence", params={"topic": topic})).json()["members"]


async def names(caller, topic):
    return [one["member_id"] for one in await members(caller, topic)]


async def eventually(caller, topic, expected):
    for _ in range(100):
        if await names(caller, topic) == expected:
            return True
        await asyncio.sleep(0.02)
    return False


async def event(client, timeout_s=5):
    """The next frame, whose payload must say the same as its head."""
    frame = await client.json(timeout_s)
    inside = json.loads(base64.b64decode(frame["data"]))
    assert {key: frame[key] for key in ("type", "member_id")} == {key: inside[key] for key in ("type", "member_id")}
    assert frame.get("meta") == inside.get("meta")
    assert abs(inside["timestamp"] - frame["timestamp"] / 1000) <= 1
    return frame["type"], frame["member_id"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other(node):
    return Caller.with_key(node.client, await node.key("other"))


async def test_sequence_of_the_go_clients(node, owner):
    """Own join first, within 5 s; the second member's join is the next frame; its leave the next after that."""
    async with be(node, owner, "room", "one", {"name": "Ann"}) as first:
        assert await event(first) == ("presence.join", "one")
        async with be(node, owner, "room", "two") as second:
            assert await event(first) == ("presence.join", "two")
            assert await event(second) == ("presence.join", "two")
            listed = (await owner.get("/v1/pubsub/presence", params={"topic": "room"})).json()
            assert (listed["topic"], listed["count"], len(listed["members"])) == ("room", 2, 2)
            assert listed["members"][0]["member_id"] == "one"
        assert await event(first, 1) == ("presence.leave", "two")
        assert await first.quiet(0.05)
        assert await eventually(owner, "room", ["one"])
    assert await eventually(owner, "room", [])


async def test_frame_holds_the_event_in_both_forms(node, owner):
    async with be(node, owner, "forms", "ann", {"name": "Änn", "n": [1]}) as client:
        frame = await client.json()
        assert set(frame) == {"data", "timestamp", "topic", "type", "member_id", "meta"}
        assert (frame["type"], frame["member_id"], frame["topic"]) == ("presence.join", "ann", "forms")
        assert frame["meta"] == {"name": "Änn", "n": [1]}
        inside = json.loads(base64.b64decode(frame["data"]))
        assert set(inside) == {"type", "member_id", "timestamp", "meta"}
        assert abs(inside["timestamp"] - time.time()) < 10


async def test_members_are_listed_in_both_spellings(node, owner):
    before = time.time()
    async with be(node, owner, "spelling", "ann", {"a": 1}), be(node, owner, "spelling", "bob"):
        ann, bob = await members(owner, "spelling")
        assert set(ann) == {"member_id", "joined_at", "memberId", "joinedAt", "meta"}
        assert set(bob) == {"member_id", "joined_at", "memberId", "joinedAt"}
        assert (ann["member_id"], ann["memberId"], ann["meta"]) == ("ann", "ann", {"a": 1})
        assert ann["joined_at"] == ann["joinedAt"] // 1000
        assert before - 1 <= ann["joinedAt"] / 1000 <= time.time()


async def test_everybody_on_the_topic_hears_it_also_who_did_not_ask(node, owner):
    async with listen(node, owner, "open") as plain, listen(node, owner, "*") as pattern:
        async with be(node, owner, "open", "ann"):
            assert await event(plain) == await event(pattern) == ("presence.join", "ann")
        assert await event(plain, 1) == await event(pattern, 1) == ("presence.leave", "ann")


async def test_nobody_can_forge_a_presence_frame(node, owner):
    forged = json.dumps({"type": "presence.join", "member_id": "eve", "timestamp": 1, "meta": {}})
    async with listen(node, owner, "forge") as client:
        await client.send(forged)
        frame = await client.json()
        assert set(frame) == {"data", "timestamp", "topic"}
        assert base64.b64decode(frame["data"]).decode() == forged
    assert await names(owner, "forge") == []


async def test_one_connection_is_one_member(node, owner):
    async with be(node, owner, "twice", "ann") as first, be(node, owner, "twice", "ann"):
        assert await names(owner, "twice") == ["ann", "ann"]
        assert [await event(first), await event(first)] == [("presence.join", "ann")] * 2
    assert await eventually(owner, "twice", [])


@pytest.mark.parametrize("how", ["close", "cut"])
async def test_leave_is_told_within_a_second(node, owner, how):
    if how == "cut" and is_asgi(node):
        pytest.skip("there is no connection to cut")
    async with listen(node, owner, "prompt") as watcher, AsyncExitStack() as stack:
        member = await stack.enter_async_context(be(node, owner, "prompt", "ann"))
        assert await event(watcher) == ("presence.join", "ann")
        started = time.monotonic()
        if how == "cut":
            member.connection.transport.abort()
        else:
            await member.close()
        assert await event(watcher, 1) == ("presence.leave", "ann")
        assert time.monotonic() - started < 1


@pytest.mark.parametrize("wrong", ["[1]", "nonsense", '"text"', "1", "null", '{"a": }', "{" * 2000])
async def test_meta_that_is_no_object_is_passed_over(node, owner, wrong):
    async with be(node, owner, "meta", "ann", wrong) as client:
        assert "meta" not in await client.json()


async def test_anything_but_true_is_no_presence(node, owner):
    for text in ("", "false", "no", "0", "yes"):
        async with socket(node, f"/v1/pubsub/ws?topic=absent&presence={text}", owner.headers):
            assert await names(owner, "absent") == []


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({"member_id": ""}, 400, "missing 'member_id' for presence"),
        ({"member_id": "x" * 129}, 400, "longer than 128 bytes"),
        ({"member_id": "é" * 65}, 400, "longer than 128 bytes"),
        ({"member_id": "ann", "member_meta": json.dumps({"a": "x" * 1024})}, 400, "at most 1024 bytes"),
        ({"member_id": "ann", "topic": "a.*"}, 400, "'*' and '>'"),
    ],
)
async def test_presence_that_cannot_be_is_refused_before_the_handshake(node, owner, query, status, text):
    with pytest.raises(Refused) as refusal:
        async with be(node, owner, **{"topic": "refused", **query}):
            pass
    assert refusal.value.status == status
    assert text in json.loads(refusal.value.body)["error"]
    assert await names(owner, "refused") == []


async def test_list_needs_a_topic(owner):
    for query in ({}, {"topic": ""}):
        reply = await owner.get("/v1/pubsub/presence", params=query)
        assert (reply.status_code, reply.json()["error"]) == (400, "missing 'topic'")
    reply = await owner.get("/v1/pubsub/presence", params={"topic": "nobody"})
    assert reply.json() == {"topic": "nobody", "members": [], "count": 0}


async def test_member_id_belongs_to_who_has_it_now(node, owner):
    """Another key may not pose as somebody who is there; once nobody is, anybody may."""
    rival = Caller.with_key(node.client, await node.key("demo"))
    async with be(node, owner, "bound", "ann"):
        with pytest.raises(Refused) as refusal:
            async with be(node, rival, "bound", "ann"):
                pass
        assert (refusal.value.status, json.loads(refusal.value.body)["reason"]) == (409, "member_id_taken")
        async with be(node, rival, "bound", "ann2"), be(node, rival, "elsewhere", "ann"):
            assert await names(owner, "bound") == ["ann", "ann2"]
    assert await eventually(owner, "bound", [])
    async with be(node, rival, "bound", "ann"):
        assert await names(owner, "bound") == ["ann"]


async def test_wallet_is_one_owner_whichever_credential_it_comes_with(node):
    wallet = fresh_wallet()
    first, second = await sign_in(node.client, wallet, "samewallet"), await sign_in(node.client, wallet, "samewallet")
    by_key = Caller.with_key(node.client, first["api_key"])
    async with be(node, by_key, "mine", "me"):
        by_other_key = Caller.with_key(node.client, second["api_key"])
        by_token = Caller.with_token(node.client, second["access_token"])
        async with be(node, by_other_key, "mine", "me"), be(node, by_token, "mine", "me"):
            assert await names(by_key, "mine") == ["me"] * 3


async def test_members_of_another_namespace_are_not_seen_and_hold_no_names(node, owner, other):
    async with listen(node, other, ">") as stranger, be(node, owner, "private", "ann"):
        assert await names(other, "private") == []
        async with be(node, other, "private", "ann"):
            assert await names(owner, "private") == ["ann"]
            assert await event(stranger) == ("presence.join", "ann")
        assert await event(stranger) == ("presence.leave", "ann")
        assert await stranger.quiet(0.05)


async def test_list_of_a_topic_needs_the_scope_for_it(node):
    narrow = Caller.with_key(node.client, await node.key("demo", "pubsub:subscribe:open"))
    assert (await narrow.get("/v1/pubsub/presence", params={"topic": "open"})).status_code == 200
    assert (await narrow.get("/v1/pubsub/presence", params={"topic": "closed"})).status_code == 403


async def test_100_members_come_and_go(node, owner):
    async with listen(node, owner, "crowd") as watcher:
        async with AsyncExitStack() as stack:
            await asyncio.gather(*(stack.enter_async_context(be(node, owner, "crowd", f"m{n}")) for n in range(100)))
            assert sorted(await names(owner, "crowd")) == sorted(f"m{n}" for n in range(100))
        heard = [await event(watcher) for _ in range(200)]
        assert {one for kind, one in heard if kind == "presence.join"} == {f"m{n}" for n in range(100)}
        assert len(set(heard)) == 200
        assert await watcher.quiet(0.05)
    assert await eventually(owner, "crowd", [])
