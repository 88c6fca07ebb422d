"""What ends a WebSocket though neither side asked for it: its credential, through both drivers."""

from __future__ import annotations

import asyncio

import pytest

from orama.domain.namespace import Namespace
from support.caller import Caller, sign_in
from support.examples import fresh_wallet
from support.websocket import socket

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"auth__access_token_s": 2, "auth__clock_skew_s": 0, "auth__refresh_grace_s": 0.0}
WS = "/v1/pubsub/ws?topic=news"


async def test_revoked_key_closes_its_sockets_with_4401(node):
    doomed, good = await node.key("demo"), await node.key("demo")
    async with (
        socket(node, WS, {"X-API-Key": doomed}) as first,
        socket(node, f"{WS}&api_key={doomed}") as second,
        socket(node, WS, {"X-API-Key": good}) as other,
    ):
        await node.node.auth.api_keys.revoke(Namespace("demo"), doomed.split("_")[1])
        assert [await first.closing(2.5), await second.closing(2.5)] == [4401, 4401]
        assert first.reason == "invalid API key"
        await other.send("still here")
        assert await other.data() == b"still here"


async def test_expired_token_closes_its_socket_with_4401(node):
    token = (await sign_in(node.client, fresh_wallet(), "expiring"))["access_token"]
    async with socket(node, f"{WS}&token={token}") as client:
        await client.send("while it lasts")
        assert await client.data() == b"while it lasts"
        assert await client.closing(5) == 4401
        assert client.reason == "invalid or expired token"


async def test_signing_out_closes_the_sockets_of_the_sign_in(node):
    session = await sign_in(node.client, fresh_wallet(), "leaving")
    async with socket(node, f"{WS}&api_key={session['api_key']}") as client:
        await Caller(node.client).ok("/v1/auth/logout", {"refresh_token": session["refresh_token"]})
        assert await client.closing(2.5) == 4401


async def test_member_leaves_with_its_credential(node):
    key, watcher_key = await node.key("demo"), await node.key("demo")
    presence = f"{WS}&presence=true&member_id=ann"
    async with socket(node, WS, {"X-API-Key": watcher_key}) as watcher, socket(node, presence, {"X-API-Key": key}):
        assert (await watcher.json())["type"] == "presence.join"
        await node.node.auth.api_keys.revoke(Namespace("demo"), key.split("_")[1])
        assert (await watcher.json(3))["type"] == "presence.leave"
    for _ in range(50):
        if not len(node.node.auth.watch):
            break
        await asyncio.sleep(0.02)
    assert len(node.node.auth.watch) == 0
