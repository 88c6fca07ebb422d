"""A WebSocket's opening, its heartbeat, its bounds and its end."""

from __future__ import annotations

import asyncio

import pytest

from orama.gateway.kernel.limits import HttpLimits
from orama.gateway.websocket.limits import WebSocketLimits
from orama.testing.clock import ManualClock
from support.kernel import raw_client, request_bytes, running_kernel
from support.rawsocket import CLOSE, PING, PONG, TEXT, close_frame, frame, handshake_bytes, raw_socket
from support.websocket import HANDSHAKE

ACCEPT = "BACScCJPNqyz+UBoqMH89VmURoA="


async def swept(kernel, clock, seconds):
    """Let time pass, and the sweeps that it brings."""
    for _ in range(int(seconds * 2)):
        clock.advance(0.5)
        await asyncio.sleep(0)
        kernel.connections.check_deadlines()
        await asyncio.sleep(0)


# ── opening ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_handshake_is_answered_with_the_proof_and_the_marks_of_every_reply():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(handshake_bytes(x_request_id="mine"))
        reply = await client.reply()
        assert reply.status == 101
        assert reply.headers["sec-websocket-accept"] == ACCEPT
        assert (reply.headers["upgrade"], reply.headers["connection"]) == ("websocket", "Upgrade")
        assert (reply.headers["x-request-id"], reply.headers["x-content-type-options"]) == ("mine", "nosniff")
        assert "content-length" not in reply.headers
        assert kernel.seen.calls == [("probe.socket", 101, None)]


async def test_neither_extension_nor_subprotocol_is_agreed_to():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(handshake_bytes(sec_websocket_extensions="permessage-deflate", sec_websocket_protocol="chat"))
        reply = await client.reply()
        assert reply.status == 101
        assert not {"sec-websocket-extensions", "sec-websocket-protocol"} & set(reply.headers)


@pytest.mark.parametrize(
    "wrong",
    [
        {"upgrade": None}, {"upgrade": "h2c"}, {"connection": None}, {"connection": "keep-alive"}, {"sec_websocket_version": "12"},
        {"sec_websocket_version": None}, {"sec_websocket_key": None}, {"sec_websocket_key": "short"}, {"sec_websocket_key": "é" * 24},
        {"sec_websocket_key": "x" * 400}, {"content_length": "3"},
    ],
    ids=str,
)  # fmt: skip
async def test_what_is_no_handshake_is_426_that_says_how(wrong):
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(handshake_bytes(**wrong) + (b"abc" if "content_length" in wrong else b""))
        reply = await client.reply()
        assert reply.status == 426
        assert (reply.headers["upgrade"], reply.headers["sec-websocket-version"]) == ("websocket", "13")
        assert b'"reason":"upgrade_required"' in reply.body


@pytest.mark.parametrize("line", ["POST /socket HTTP/1.1", "GET /socket HTTP/1.0"])
async def test_handshake_by_another_method_or_version_is_refused(line):
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(handshake_bytes().replace(b"GET /socket HTTP/1.1", line.encode()))
        assert (await client.reply()).status in (405, 426)


async def test_handshake_on_a_path_that_is_no_socket_is_an_ordinary_request():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(handshake_bytes("/who"))
        reply = await client.reply()
        assert (reply.status, reply.body[:8]) == (200, b'{"peer":')


async def test_connection_may_name_several_things_and_names_ignore_case():
    odd = {"connection": "keep-alive, UPGRADE", "upgrade": "WebSocket"}
    async with running_kernel() as kernel, raw_socket(kernel.port, **odd) as socket:
        socket.send(frame(TEXT, b"hello"))
        assert (await socket.heard()).payload == b"hello"


@pytest.mark.parametrize(
    ("origins", "origin", "admitted"),
    [
        (("*",), "https://any.example", True),
        (("https://app.example",), "https://app.example", True),
        (("https://app.example",), None, True),
        (("https://app.example",), "https://evil.example", False),
        (("https://app.example",), "https://app.example.evil.example", False),
        (("https://app.example",), "http://app.example", False),
        (("https://app.example",), "null", False),
        (("https://app.example",), "", False),
    ],
)
async def test_page_of_a_foreign_origin_may_not_connect(origins, origin, admitted):
    async with running_kernel(origins=origins) as kernel, raw_client(kernel.port) as client:
        client.send(handshake_bytes(origin=origin))
        reply = await client.reply()
        assert reply.status == (101 if admitted else 403)
        assert admitted or b'"reason":"origin_not_allowed"' in reply.body


async def test_requests_before_the_handshake_are_answered_before_it():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(request_bytes("GET", "/who") * 2 + handshake_bytes())
        assert [(await client.reply()).status for _ in range(3)] == [200, 200, 101]


async def test_frames_that_come_with_the_handshake_wait_for_its_answer():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(handshake_bytes() + frame(TEXT, b"early"))
        assert (await client.reply()).status == 101
        first, size = await client.reader.readexactly(2)
        assert (first & 15, await client.reader.readexactly(size)) == (TEXT, b"early")


async def test_sockets_count_as_connections_until_they_close():
    limits = HttpLimits(max_connections=2)
    async with running_kernel(limits) as kernel:
        async with raw_socket(kernel.port), raw_socket(kernel.port), raw_client(kernel.port) as third:
            assert len(kernel.connections) == 2
            assert (await third.reply()).status == 503
        for _ in range(100):
            if not len(kernel.connections):
                break
            await asyncio.sleep(0.02)
        async with raw_socket(kernel.port):
            assert len(kernel.connections) == 1


# ── heartbeat ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_ping_comes_every_20_seconds_and_its_pong_keeps_the_socket():
    clock = ManualClock()
    async with running_kernel(clock=clock) as kernel, raw_socket(kernel.port) as socket:
        payloads = set()
        for _ in range(3):
            await swept(kernel, clock, 17)
            socket.send(frame(TEXT, b"no ping yet"))
            assert (await socket.heard()).payload == b"no ping yet"
            await swept(kernel, clock, 2.5)
            ping = await socket.heard()
            assert ping.opcode == PING
            payloads.add(ping.payload)
            socket.send(frame(PONG, ping.payload) + frame(TEXT, b"alive"))
            assert (await socket.heard()).payload == b"alive"
        assert len(payloads) == 3


@pytest.mark.parametrize(
    "answer",
    [b"", frame(TEXT, b"busy"), frame(PONG, b"guess"), frame(PONG, b"")],
    ids=["silence", "text", "wrong", "empty"],
)
async def test_socket_whose_pong_does_not_come_is_cut_within_30_seconds(answer):
    clock = ManualClock()
    async with running_kernel(clock=clock) as kernel, raw_socket(kernel.port) as socket:
        await swept(kernel, clock, 19)
        assert (await socket.heard()).opcode == PING
        socket.send(answer)
        if answer == frame(TEXT, b"busy"):
            assert (await socket.heard()).payload == b"busy"
        await asyncio.sleep(0.05)
        await swept(kernel, clock, 9.5)
        assert kernel.handlers.conversations == 1
        await swept(kernel, clock, 1)
        assert clock.monotonic() - 1_000 <= 30
        assert kernel.handlers.conversations == 0
        assert kernel.websockets.counts.dead_peers_cut == 1
        assert await socket.client.closed()


async def test_pong_is_not_missed_while_the_node_itself_does_not_read():
    clock = ManualClock()
    async with running_kernel(clock=clock) as kernel, raw_socket(kernel.port) as socket:
        socket.send(frame(TEXT, b"wait"))
        await kernel.handlers.started.wait()
        socket.send(frame(TEXT, b"next"))  # nobody takes it yet, so reading pauses
        await asyncio.sleep(0.05)
        await swept(kernel, clock, 100)
        kernel.handlers.release.set()
        assert [(await socket.heard()).payload for _ in range(2)] == [b"wait", b"next"]


async def test_client_is_read_as_fast_as_it_is_served():
    """What is not taken stays with the client: memory has a bound."""
    async with running_kernel() as kernel, raw_socket(kernel.port) as socket:
        socket.send(frame(TEXT, b"wait"))
        await kernel.handlers.started.wait()
        transport = socket.client.writer.transport
        socket.send(frame(TEXT, b"x" * 100_000) * 200)
        await asyncio.sleep(0.2)
        assert transport.get_write_buffer_size() > 1_000_000
        kernel.handlers.release.set()
        for _ in range(201):
            await socket.heard()


# ── a client that does not read ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sockets_limits", "size"),
    [(WebSocketLimits(max_queued_bytes=300_000, max_queued_messages=10_000), 60_000), (WebSocketLimits(max_queued_messages=20), 10_000)],
    ids=["bytes", "messages"],
)  # fmt: skip
async def test_client_that_does_not_read_is_cut_with_1013_and_counted(sockets_limits, size):
    async with running_kernel(sockets=sockets_limits) as kernel, raw_socket(kernel.port) as socket:
        socket.client.writer.transport.pause_reading()
        sent = 0
        while not kernel.websockets.counts.slow_consumers_cut:
            socket.send(frame(TEXT, b"x" * size))
            sent += size
            await asyncio.sleep(0.001)
            assert sent < 100_000_000
        assert kernel.websockets.counts.slow_consumers_cut == 1
        socket.client.writer.transport.resume_reading()
        assert await socket.closing() == 1013


async def test_burst_is_no_slowness():
    """A client that reads gets a burst far beyond the queue's bounds: they are for what its connection does not take."""
    limits = WebSocketLimits(max_queued_messages=8)
    async with running_kernel(sockets=limits) as kernel, raw_socket(kernel.port) as socket:
        socket.send(b"".join(frame(TEXT, b"%d" % number) for number in range(2_000)))
        assert [int((await socket.heard()).payload) for _ in range(2_000)] == list(range(2_000))
        assert not kernel.websockets.counts.slow_consumers_cut


async def test_client_that_never_reads_its_close_is_cut_after_a_while():
    limits = WebSocketLimits(max_queued_bytes=10_000, close_timeout_s=0.5)
    async with running_kernel(sockets=limits) as kernel, raw_socket(kernel.port) as socket:
        socket.client.writer.transport.pause_reading()
        for _ in range(10_000):
            socket.send(frame(TEXT, b"x" * 60_000))
            await asyncio.sleep(0.001)
            if kernel.websockets.counts.slow_consumers_cut:
                break
        for _ in range(200):
            if not kernel.websockets.counts.open:
                break
            await asyncio.sleep(0.02)
        assert (kernel.websockets.counts.open, kernel.handlers.conversations, len(kernel.connections)) == (0, 0, 0)


# ── the node's end ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_stopping_node_closes_its_sockets_with_1012():
    async with running_kernel() as kernel:
        async with raw_socket(kernel.port) as socket:
            kernel.stop()
            heard = await socket.heard()
            assert (heard.opcode, heard.code) == (CLOSE, 1012)
            socket.send(close_frame(1012))
            assert await socket.client.closed()
        assert not kernel.handlers.conversations


async def test_conversation_whose_client_left_before_the_answer_is_abandoned():
    async def receive():
        return {"type": "websocket.connect"}

    async def gone(_):
        raise OSError

    async with running_kernel() as kernel:
        scope = {
            "type": "websocket",
            "path": "/socket",
            "query_string": b"",
            "headers": [(b"host", b"x")],
            "client": None,
        }
        with pytest.raises(OSError):
            await kernel.asgi(scope, receive, gone)
        assert (kernel.handlers.abandoned, kernel.handlers.conversations) == (1, 0)


async def test_client_that_leaves_during_the_handshake_leaves_nothing_behind():
    async with running_kernel() as kernel:
        async with raw_client(kernel.port) as client:
            client.send(handshake_bytes("/socket?slow"))
            await kernel.handlers.started.wait()
        for _ in range(100):
            if not len(kernel.connections):
                break
            await asyncio.sleep(0.01)
        assert (len(kernel.connections), len(kernel.in_flight), kernel.handlers.conversations) == (0, 0, 0)


def test_example_of_the_rfc():
    from orama.gateway.websocket.handshake import accept_key, is_handshake

    key = "dGhlIHNhbXBsZSBub25jZQ=="
    assert accept_key({"sec-websocket-key": key}) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    headers = {name.lower(): value for name, value in HANDSHAKE.items()}
    assert is_handshake("GET", "1.1", headers)
