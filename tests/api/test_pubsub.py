"""Publishing and the socket of one topic, as clients know them, through both drivers."""

from __future__ import annotations

import asyncio
import base64
import time

import pytest
import pytest_asyncio

from support.caller import Caller, sign_in
from support.examples import fresh_wallet
from support.websocket import Refused, handshake, socket

pytestmark = pytest.mark.asyncio(loop_scope="module")

WS = "/v1/pubsub/ws"


def b64(payload: bytes) -> str:
    return base64.b64encode(payload).decode()


async def publish(caller, topic, payload):
    return await caller.ok("/v1/pubsub/publish", {"topic": topic, "data_base64": b64(payload)})


def listen(node, caller, query):
    return socket(node, f"{WS}?{query}", caller.headers)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other(node):
    return Caller.with_key(node.client, await node.key("other"))


async def test_message_comes_in_an_envelope(node, owner):
    before = int(time.time() * 1000)
    async with listen(node, owner, "topic=news") as client:
        assert await publish(owner, "news", b"hello") == {"status": "ok"}
        envelope = await client.json()
        assert set(envelope) == {"data", "timestamp", "topic"}
        assert (base64.b64decode(envelope["data"]), envelope["topic"]) == (b"hello", "news")
        assert before <= envelope["timestamp"] <= int(time.time() * 1000)


@pytest.mark.parametrize(
    "message",
    [
        "text",
        "größe 🛒",
        '{"type": "chat", "text": "hi"}',
        b"\x00\xff bytes",
        '{"type":"pong"}',
        "ping",
        '["ping"]',
        '{"type":{"ping":1}}',
    ],
)
async def test_client_frame_is_published_as_it_is_and_comes_back(node, owner, message):
    raw = message if isinstance(message, bytes) else message.encode()
    async with listen(node, owner, "topic=raw") as sender, listen(node, owner, "topic=raw") as receiver:
        await sender.send(message)
        for client in (sender, receiver):
            assert await client.data() == raw
            assert await client.quiet(0.02)


@pytest.mark.parametrize("heartbeat", ['{"type":"ping"}', ' {"at": 1, "type": "ping", "x": [1, {}]} '])
async def test_heartbeat_of_a_client_is_swallowed(node, owner, heartbeat):
    async with listen(node, owner, "topic=beat") as client:
        await client.send(heartbeat)
        await client.send("after")
        assert await client.data() == b"after"


async def test_messages_of_one_publisher_come_once_and_in_order(node, owner):
    async with listen(node, owner, "topic=order") as receiver, listen(node, owner, "topic=order") as sender:
        for number in range(300):
            await sender.send(str(number))
        assert [int(await receiver.data()) for _ in range(300)] == list(range(300))
        for number in range(20):
            await publish(owner, "order", b"%d" % number)
        assert [int(await receiver.data()) for _ in range(20)] == list(range(20))
        assert await receiver.quiet(0.05)


async def test_topics_lists_what_is_subscribed_to_now(node, owner, other):
    assert (await owner.get("/v1/pubsub/topics")).json() == {"topics": [], "count": 0}
    async with listen(node, owner, "topic=b"), listen(node, owner, "topic=a.%2A"), listen(node, owner, "topic=b"):
        assert (await owner.get("/v1/pubsub/topics")).json() == {"topics": ["a.*", "b"], "count": 2}
        assert (await owner.post("/v1/pubsub/topics")).json()["count"] == 2
        assert (await other.get("/v1/pubsub/topics")).json()["topics"] == []
    for _ in range(50):
        if not (await owner.get("/v1/pubsub/topics")).json()["count"]:
            break
        await asyncio.sleep(0.02)
    assert (await owner.get("/v1/pubsub/topics")).json()["topics"] == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "invalid body: expected {topic,data_base64}"),
        ({"topic": "a"}, "invalid body: expected {topic,data_base64}"),
        ({"topic": "", "data_base64": "YQ=="}, "invalid body: expected {topic,data_base64}"),
        ({"topic": "a", "data_base64": ""}, "invalid body: expected {topic,data_base64}"),
        ({"topic": "a", "data_base64": "?"}, "invalid base64 data"),
        ({"topic": "a", "data_base64": "YQ"}, "invalid base64 data"),
        ({"topic": "a", "data_base64": "é"}, "invalid base64 data"),
        ({"topic": "a", "data_base64": "YQ==\n"}, "invalid base64 data"),
        ({"topic": "a.*", "data_base64": "YQ=="}, "'*' and '>' stand for other words"),
        ({"topic": "a\n", "data_base64": "YQ=="}, "control character"),
        ({"topic": "x" * 257, "data_base64": "YQ=="}, "longer than 256 bytes"),
    ],
)
async def test_publish_that_cannot_be_is_400(owner, body, text):
    await owner.refused("/v1/pubsub/publish", body, 400, text)


async def test_data_is_an_alias_of_data_base64(node, owner):
    async with listen(node, owner, "topic=alias") as client:
        await owner.ok("/v1/pubsub/publish", {"topic": "alias", "data": b64(b"by alias")})
        assert await client.data() == b"by alias"


async def test_message_up_to_the_limit_is_delivered_and_one_beyond_is_413(node, owner):
    async with listen(node, owner, "topic=large") as client:
        await publish(owner, "large", b"x" * (1 << 20))
        assert len(await client.data()) == 1 << 20
        body = {"topic": "large", "data_base64": b64(b"x" * ((1 << 20) + 1))}
        assert (await owner.refused("/v1/pubsub/publish", body, 413))["reason"] == "message_too_large"
        await client.send(b"x" * (1 << 20))
        assert len(await client.data()) == 1 << 20
        await client.send(b"x" * ((1 << 20) + 1))
        assert await client.closing() == 1009


async def test_publish_without_anybody_listening_is_fine(owner):
    assert await publish(owner, "nobody", b"hello") == {"status": "ok"}


# ── opening ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({}, 400, "missing 'topic'"),
        ({"topic": ""}, 400, "missing 'topic'"),
        ({"topic": "a\0"}, 400, "control character"),
        ({"topic": ">.a"}, 400, "comes last"),
        ({"topic": "a", "offset": "x"}, 400, "offset"),
    ],
)
async def test_handshake_that_cannot_be_is_refused_before_it(node, owner, query, status, text):
    reply = await handshake(node, WS, query, owner.headers)
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/json")
    assert text in reply.json()["error"]


async def test_plain_request_is_426(owner):
    reply = await owner.get(WS, params={"topic": "a"})
    assert (reply.status_code, reply.json()["reason"]) == (426, "upgrade_required")
    assert reply.headers["upgrade"] == "websocket"


@pytest.mark.parametrize("name", ["api_key", "token", "access_token"])
@pytest.mark.parametrize("kind", ["key", "jwt"])
async def test_credential_may_stand_in_the_url_of_a_socket(node, name, kind):
    signed_in = await sign_in(node.client, fresh_wallet(), f"url{name.replace('_', '')}{kind}")
    text = signed_in["api_key" if kind == "key" else "access_token"]
    async with socket(node, f"{WS}?topic=mine&{name}={text}") as client:  # the colon of a key is not encoded by clients
        await client.send("hello")
        assert await client.data() == b"hello"


async def test_credential_in_the_url_is_refused_elsewhere(node, owner):
    key = owner.headers["X-API-Key"]
    for path in ("/v1/pubsub/topics", "/v1/auth/whoami"):
        reply = await node.client.get(path, params={"api_key": key})
        assert (reply.status_code, reply.json()["reason"]) == (401, "credential_in_url")


@pytest.mark.parametrize("query", ["", "&api_key=", "&api_key=ak_nonsense", "&token=a.b.c", "&access_token=%00"])
async def test_handshake_without_a_good_credential_is_401(node, query):
    with pytest.raises(Refused) as refusal:
        async with socket(node, f"{WS}?topic=a{query}"):
            pass
    assert refusal.value.status == 401


async def test_header_and_url_together_are_read_together(node, owner, other):
    """Of a token and a key for different namespaces the token decides, wherever they stand."""
    token = (await owner.ok("/v1/auth/token"))["access_token"]
    async with (
        socket(node, f"{WS}?topic=both&token={token}", other.headers) as client,
        listen(node, owner, "topic=both") as own,
    ):
        await own.send("hello")
        assert await client.data() == b"hello"


# ── isolation ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "query", ["topic=secret", "topic=%3E", "topic=%2A", "topic=demo.secret", "topic=secret&namespace=demo"]
)
async def test_nothing_is_heard_of_another_namespace(node, owner, other, query):
    async with listen(node, other, query) as stranger, listen(node, owner, "topic=secret") as client:
        await client.send("private")
        assert await client.data() == b"private"
        assert await stranger.quiet()
    await publish(other, "secret", b"other's")


async def test_names_that_run_together_are_different_topics(node):
    """Namespace `a` and topic `b.c` are not namespace `a-b` and topic `c`, whatever stands between."""
    one = Caller.with_key(node.client, await node.key("ab"))
    two = Caller.with_key(node.client, await node.key("a"))
    async with (
        listen(node, one, "topic=c") as first,
        listen(node, two, "topic=b.c") as second,
        listen(node, two, "topic=bc") as third,
    ):
        await publish(one, "c", b"1")
        await publish(two, "b.c", b"2")
        await publish(two, "bc", b"3")
        assert [await first.data(), await second.data(), await third.data()] == [b"1", b"2", b"3"]
        for client in (first, second, third):
            assert await client.quiet(0.02)


@pytest.mark.parametrize(
    ("scopes", "topic", "hears", "says"),
    [
        (("pubsub:*",), "a", True, True),
        (("pubsub:subscribe",), "a", True, False),
        (("pubsub:subscribe:a",), "a", True, False),
        (("pubsub:subscribe:a", "pubsub:publish:a"), "a", True, True),
        (("pubsub:subscribe:a", "pubsub:publish:b"), "a", True, False),
        (("pubsub:subscribe:*", "pubsub:publish:*"), "a", True, True),
        (("pubsub:subscribe:a",), "b", False, False),
        (("pubsub:subscribe:a",), "a:b", False, False),
        (("pubsub:subscribe:a",), "a.b", False, False),
        (("pubsub:subscribe:a",), "%2A", False, False),
        (("pubsub:subscribe:a",), "%3E", False, False),
        (("pubsub:subscribe",), "%3E", True, False),
        (("pubsub:publish",), "a", False, True),
        (("pubsub:publish:a",), "a", False, True),
        (("*",), "a", True, True),
        (("pubsub:*:a",), "a", True, True),
        (("pubsub:*:a",), "b", False, False),
        (("cache:*",), "a", False, False),
    ],
)
async def test_scope_reaches_its_topics_only(node, owner, scopes, topic, hears, says):
    caller = Caller.with_key(node.client, await node.key("demo", *scopes))
    reply = await caller.post(
        "/v1/pubsub/publish", {"topic": topic.replace("%2A", "x").replace("%3E", "y"), "data": "YQ=="}
    )
    if not topic.startswith("%"):
        assert reply.status_code == (200 if says else 403), reply.text
    if not hears:
        with pytest.raises(Refused) as refusal:
            async with listen(node, caller, f"topic={topic}"):
                pass
        assert refusal.value.status == 403
        return
    async with listen(node, caller, f"topic={topic}") as client:
        await client.send("mine")
        assert (
            await client.recv() == "publish_error"
            if not says or topic.startswith("%")
            else await client.data() == b"mine"
        )
        await publish(owner, "a", b"owner's")
        assert await client.data() == b"owner's"


async def test_topics_shows_only_what_the_caller_may_hear(node, owner):
    narrow = Caller.with_key(node.client, await node.key("demo", "pubsub:subscribe:open"))
    async with listen(node, owner, "topic=open"), listen(node, owner, "topic=closed"), listen(node, owner, "topic=%3E"):
        assert (await narrow.get("/v1/pubsub/topics")).json()["topics"] == ["open"]


# ── wildcards ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_pattern_hears_all_that_match_each_once(node, owner):
    async with (
        listen(node, owner, "topic=a.%2A") as words,
        listen(node, owner, "topic=a.%3E") as rest,
        listen(node, owner, "topic=a.b") as one,
    ):
        for topic in ("a", "a.b", "a.b.c", "b.a"):
            await publish(owner, topic, topic.encode())
        assert [await words.json(), await rest.json()] == [await one.json()] * 2
        assert (await rest.json())["topic"] == "a.b.c"
        for client in (words, rest, one):
            assert await client.quiet(0.05)


async def test_nothing_can_be_published_to_a_pattern(node, owner):
    async with listen(node, owner, "topic=a.%2A") as client:
        await client.send("hello")
        assert await client.recv() == "publish_error"


async def test_publish_with_a_key_is_heard_once_however_often_it_is_sent(node, owner):
    async with listen(node, owner, "topic=once") as client:
        body = {"topic": "once", "data_base64": b64(b"once")}
        for _ in range(3):
            reply = await owner.post("/v1/pubsub/publish", body, headers={"Idempotency-Key": "publish-1"})
            assert (reply.status_code, reply.json()) == (200, {"status": "ok"})
        assert await client.data() == b"once"
        assert await client.quiet(0.05)
