"""One connection of the HTTP/1.1 driver: order, keep-alive, deadlines, caps, slow and vanishing clients."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from orama.gateway.kernel.limits import HttpLimits
from support.kernel import raw_client, request_bytes, running_kernel


def echo(number: int, path: str = "/echo") -> bytes:
    return request_bytes("POST", path, json.dumps({"text": "n", "number": number}).encode())


async def test_replies_come_in_order_when_requests_are_pipelined():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(b"".join(echo(n) for n in range(500)))
        assert [json.loads((await client.reply()).body)["number"] for _ in range(500)] == list(range(500))


async def test_replies_come_in_order_when_streams_and_operations_are_pipelined():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        paths = ["/echo", "/stream", "/stream", "/echo", "/echo", "/stream"] * 10
        client.send(b"".join(echo(n, path) for n, path in enumerate(paths)))
        assert [json.loads((await client.reply()).body)["number"] for _ in paths] == list(range(len(paths)))


async def test_request_is_read_whole_when_it_arrives_byte_by_byte():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        for _ in range(2):
            for byte in echo(7):
                client.send(bytes([byte]))
                await asyncio.sleep(0)
            assert json.loads((await client.reply()).body)["number"] == 7


async def test_connection_closes_when_client_asks_or_speaks_http_1_0():
    async with running_kernel() as kernel:
        for data in (request_bytes("GET", "/who", b"", "Connection: close"), b"GET /who HTTP/1.0\r\n\r\n"):
            async with raw_client(kernel.port) as client:
                client.send(data)
                reply = await client.reply()
                assert (reply.status, reply.headers["connection"]) == (200, "close")
                assert await client.closed()


async def test_head_has_the_length_and_no_body():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(request_bytes("HEAD", "/who") + request_bytes("GET", "/who"))
        head = await client.reply(head=True)
        get = await client.reply()
        assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.body))


async def test_handler_is_cancelled_when_the_client_hangs_up():
    async with running_kernel() as kernel:
        async with raw_client(kernel.port) as client:
            client.send(request_bytes("GET", "/slow"))
            await kernel.handlers.started.wait()
        async with asyncio.timeout(5):
            while not kernel.seen.calls:
                await asyncio.sleep(0.01)
        assert kernel.handlers.cancelled
        assert kernel.seen.calls == [("probe.slow", 499, "CANCELLED")]
        assert len(kernel.in_flight) == 0


async def test_write_answers_504_with_unknown_outcome_when_the_deadline_ends():
    async with running_kernel(HttpLimits(request_timeout_s=0.1)) as kernel, raw_client(kernel.port) as client:
        client.send(request_bytes("GET", "/slow") + request_bytes("GET", "/who"))
        reply = await client.reply()
        assert (reply.status, json.loads(reply.body)["reason"]) == (504, "outcome_unknown")
        assert (await client.reply()).status == 200, "the connection goes on"


@pytest.mark.parametrize("start", [b"", b"GET /who HTTP/1.1\r\nHost: a\r\n", b"GET"])
async def test_connection_is_cut_when_headers_do_not_come(start):
    async with running_kernel(HttpLimits(header_timeout_s=0.2)) as kernel, raw_client(kernel.port) as client:
        client.send(start)
        if start:
            assert (await client.reply()).status == 408
        assert await client.closed()


async def test_connection_is_cut_when_headers_drip():
    async with running_kernel(HttpLimits(header_timeout_s=0.5)) as kernel, raw_client(kernel.port) as client:
        client.send(b"GET /who HTTP/1.1\r\nHost: a\r\n")
        reply = asyncio.create_task(client.reply())
        while not reply.done():
            client.send(b"X: a\r\n")
            await asyncio.sleep(0.1)
        assert (await reply).status == 408


async def test_connection_is_cut_when_the_body_drips():
    limits = HttpLimits(body_grace_s=0.2, min_body_rate=1000)
    async with running_kernel(limits) as kernel, raw_client(kernel.port) as client:
        client.send(request_bytes("POST", "/echo", b"", "Content-Length: 5000"))
        reply = asyncio.create_task(client.reply())
        while not reply.done():
            client.send(b"x")
            await asyncio.sleep(0.05)
        assert (await reply).status == 408


async def test_slow_body_passes_when_it_keeps_the_rate():
    limits = HttpLimits(body_grace_s=0.1, min_body_rate=10)
    async with running_kernel(limits) as kernel, raw_client(kernel.port) as client:
        body = json.dumps({"text": "x" * 100}).encode()
        client.send(request_bytes("POST", "/echo", b"", f"Content-Length: {len(body)}"))
        for start in range(0, len(body), 10):
            client.send(body[start : start + 10])
            await asyncio.sleep(0.1)
        assert (await client.reply()).status == 200


async def test_connection_is_closed_when_idle_too_long():
    async with running_kernel(HttpLimits(idle_s=0.2)) as kernel, raw_client(kernel.port) as client:
        client.send(request_bytes("GET", "/who"))
        assert (await client.reply()).status == 200
        assert await client.closed()


async def test_connection_is_cut_when_the_client_does_not_read():
    async with running_kernel(HttpLimits(write_stall_s=0.2)) as kernel:
        reader, writer = await asyncio.open_connection("127.0.0.1", kernel.port, limit=1024)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writer.write(request_bytes("GET", "/big") * 4)
        async with asyncio.timeout(10):
            while kernel.connections:
                await asyncio.sleep(0.05)
        assert len(kernel.seen.calls) < 4, "a client that does not read is not served on"
        writer.close()
        del reader


async def test_connection_is_refused_when_the_node_is_full():
    async with running_kernel(HttpLimits(max_connections=2)) as kernel:
        async with raw_client(kernel.port) as first, raw_client(kernel.port):
            first.send(request_bytes("GET", "/who"))
            await first.reply()
            async with raw_client(kernel.port) as third:
                reply = await third.reply()
                assert (reply.status, json.loads(reply.body)["reason"]) == (503, "too_many_connections")
                assert reply.headers["retry-after"] == "1"
                assert await third.closed()
        async with raw_client(kernel.port) as client:
            client.send(request_bytes("GET", "/who"))
            assert (await client.reply()).status == 200, "a place is free again"


async def _write_for_ever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def test_refused_connections_do_not_stay_open():
    async with running_kernel(HttpLimits(max_connections=1)) as kernel, raw_client(kernel.port) as first:
        first.send(request_bytes("GET", "/who"))
        await first.reply()
        others = [await asyncio.open_connection("127.0.0.1", kernel.port) for _ in range(50)]
        for reader, writer in others:  # none of them hangs up by itself
            async with asyncio.timeout(10):
                assert (await reader.read()).startswith(b"HTTP/1.1 503")
                with pytest.raises(ConnectionError):  # a server that had only half closed would take this in
                    await _write_for_ever(writer)
        assert len(kernel.connections) == 1


async def test_forwarded_address_counts_only_from_a_trusted_proxy():
    header = "X-Forwarded-For: 6.6.6.6, 203.0.113.9, 127.0.0.1"
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(request_bytes("GET", "/who", b"", header))
        assert json.loads((await client.reply()).body) == {
            "peer": "127.0.0.1",
            "client": "127.0.0.1",
            "forwarded": True,
        }
    async with running_kernel(trusted=("127.0.0.0/8",)) as kernel, raw_client(kernel.port) as client:
        client.send(request_bytes("GET", "/who", b"", header))
        body = json.loads((await client.reply()).body)
        assert body == {"peer": "127.0.0.1", "client": "203.0.113.9", "forwarded": False}
