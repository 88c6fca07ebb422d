"""Bodies that are read as they come and replies that are sent as they are made."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from contextlib import asynccontextmanager

import httpx2
import pytest

from orama.gateway.kernel.limits import HttpLimits
from support.kernel import raw_client, request_bytes, running_kernel

MIB = 1 << 20


@pytest.fixture(params=["http1", "asgi"])
def connect(request):
    """A client of a kernel, over a socket or straight through ASGI."""

    @asynccontextmanager
    async def open_client(limits=None):
        async with running_kernel(limits) as kernel:
            over = {} if request.param == "http1" else {"transport": httpx2.ASGITransport(kernel.asgi)}
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{kernel.port}", timeout=30, **over) as client:
                yield client, kernel

    return open_client


async def chunks(*parts):
    for part in parts:
        yield part


async def eventually(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_body_is_read_as_it_comes(connect):
    async with connect() as (client, kernel):
        content = os.urandom(3 * MIB)
        told = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        assert (await client.post("/upload", content=content)).json() == told
        assert (await client.post("/upload", content=chunks(content[:7], content[7:MIB], content[MIB:]))).json() == told
        assert (await client.post("/upload")).json()["size"] == 0
        assert kernel.seen.calls == [("probe.upload", 200, None)] * 3
        assert len(kernel.in_flight) == 0


async def test_body_that_is_to_be_small_is_413_when_it_is_not(connect):
    async with connect() as (client, _):
        assert (await client.post("/upload/small", content=b"x" * 100)).json() == {"text": "x" * 100}
        for content in (b"x" * 101, chunks(b"x" * 100, b"y")):
            reply = await client.post("/upload/small", content=content)
            assert (reply.status_code, reply.json()["reason"]) == (413, "body_too_large")


async def test_refusal_in_the_middle_of_a_body_is_read_by_the_client(connect):
    async with connect() as (client, kernel):
        reply = await client.post("/upload", content=chunks(b"refuse", *[bytes(MIB)] * 20))
        assert (reply.status_code, reply.json()["error"]) == (422, "not this")
        assert (await client.post("/upload", content=b"next")).status_code == 200
        assert len(kernel.in_flight) == 0


async def test_reply_is_sent_as_it_is_made(connect):
    async with connect() as (client, kernel):
        for length in (True, False):
            reply = await client.get("/download", params={"pieces": 3, "length": length})
            assert (reply.status_code, len(reply.content)) == (200, 3 * MIB)
            assert reply.content == b"0" * MIB + b"1" * MIB + b"2" * MIB
            assert reply.headers.get("content-length") == (str(3 * MIB) if length else None)
            assert (reply.headers["content-type"], reply.headers["x-probe"]) == ("text/plain", "1")
            assert "x-request-id" in reply.headers
            assert reply.headers.get_list("cache-control") == ["private, max-age=9"]
        assert kernel.seen.calls == [("probe.download", 200, None)] * 2
        assert kernel.handlers.streams_closed == 2
        assert len(kernel.in_flight) == 0


async def test_head_of_a_stream_has_its_length_and_makes_nothing(connect):
    async with connect() as (client, kernel):
        reply = await client.head("/download", params={"pieces": 5})
        assert (reply.status_code, reply.headers["content-length"], reply.content) == (200, str(5 * MIB), b"")
        assert kernel.handlers.pieces_made == 0
        assert (await client.get("/who")).status_code == 200


async def test_not_modified_has_neither_length_nor_type(connect):
    async with connect() as (client, _):
        reply = await client.get("/download", params={"pieces": 0})
        assert (reply.status_code, reply.content) == (304, b"")
        assert "content-length" not in reply.headers
        assert "content-type" not in reply.headers
        assert (await client.get("/who")).status_code == 200


async def test_failure_before_the_first_piece_is_an_error_reply(connect):
    async with connect() as (client, kernel):
        reply = await client.get("/download", params={"pieces": 3, "fail": 0})
        assert (reply.status_code, reply.json()["error"]) == (422, "a failure in the middle")
        reply = await client.get("/download", params={"pieces": 3, "fail": 0, "known": False})
        assert (reply.status_code, reply.json()["error"]) == (500, "internal error")
        assert kernel.handlers.streams_closed == 2
        assert len(kernel.in_flight) == 0


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize(("known", "code"), [(True, "UNPROCESSABLE"), (False, "INTERNAL")])
async def test_failure_in_the_middle_cuts_the_connection(length, known, code):
    """A reply that ends early must not look like a whole one."""
    async with running_kernel() as kernel, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{kernel.port}") as client:
        with pytest.raises(httpx2.TransportError):
            await client.get("/download", params={"pieces": 3, "fail": 2, "known": known, "length": length})
        await eventually(lambda: kernel.seen.calls)
        assert kernel.seen.calls == [("probe.download", 200, code)]
        assert kernel.seen.causes == ([] if known else ["ZeroDivisionError('a secret detail')"])
        assert kernel.handlers.streams_closed == 1
        assert len(kernel.in_flight) == 0


async def test_client_that_hangs_up_in_a_reply_stops_its_making():
    async with running_kernel() as kernel:
        async with raw_client(kernel.port) as client:
            client.send(request_bytes("GET", "/download?pieces=100000"))
            await client.reader.readexactly(MIB)
        await eventually(lambda: kernel.handlers.streams_closed)
        assert kernel.handlers.pieces_made < 100
        assert kernel.seen.calls == [("probe.download", 200, "CANCELLED")]
        assert len(kernel.in_flight) == 0


async def test_client_that_does_not_read_stops_the_making_and_is_cut():
    async with running_kernel(HttpLimits(write_stall_s=0.5)) as kernel, raw_client(kernel.port) as client:
        client.send(request_bytes("GET", "/download?pieces=100000"))
        await eventually(lambda: kernel.handlers.streams_closed)
        assert kernel.handlers.pieces_made < 20
        await eventually(lambda: not len(kernel.connections))


async def test_client_that_hangs_up_in_its_body_is_499():
    async with running_kernel() as kernel:
        async with raw_client(kernel.port) as client:
            client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nwait")
            await kernel.handlers.started.wait()
        kernel.handlers.release.set()
        await eventually(lambda: kernel.seen.calls)
        assert kernel.seen.calls == [("probe.upload", 499, "CANCELLED")]
        assert len(kernel.in_flight) == 0


async def test_body_that_comes_too_slowly_is_408():
    limits = HttpLimits(body_grace_s=0.3, min_body_rate=1000)
    async with running_kernel(limits) as kernel, raw_client(kernel.port) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
        reply = await client.reply()
        assert (reply.status, json.loads(reply.body)["reason"]) == (408, "request_timeout")
        assert reply.headers["connection"] == "close"
        assert await client.closed()


async def test_slow_but_steady_body_is_not_cut_by_the_deadline_of_a_call():
    limits = HttpLimits(body_grace_s=0.1, min_body_rate=50, request_timeout_s=0.2)
    async with running_kernel(limits) as kernel, raw_client(kernel.port) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n")
        for _ in range(20):
            client.send(b"x" * 10)
            await asyncio.sleep(0.05)
        assert json.loads((await client.reply()).body)["size"] == 200


async def test_time_of_the_handler_is_not_the_clients_but_has_a_deadline():
    limits = HttpLimits(body_grace_s=0.1, min_body_rate=1_000_000, request_timeout_s=0.5)
    async with running_kernel(limits) as kernel, raw_client(kernel.port) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nwait")
        await kernel.handlers.started.wait()
        await asyncio.sleep(0.3)
        kernel.handlers.release.set()
        client.send(b"more")
        assert json.loads((await client.reply()).body)["size"] == 8
        kernel.handlers.release.clear()
        client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nwait")
        reply = await client.reply()
        assert (reply.status, json.loads(reply.body)["reason"]) == (504, "outcome_unknown")


async def test_piece_that_is_not_made_in_time_ends_the_reply():
    async with running_kernel(HttpLimits(request_timeout_s=0.2)) as kernel:
        async with raw_client(kernel.port) as client:
            client.send(request_bytes("GET", "/download?pieces=3&wait=1"))
            assert b"0" * 100 in await client.reader.readexactly(MIB)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.reader.readexactly(4 * MIB)
        await eventually(lambda: kernel.seen.calls)
        assert kernel.seen.calls == [("probe.download", 200, "DEADLINE")]


async def test_client_that_sends_on_after_a_refusal_can_read_it():
    """Closing at once would make the client's system throw the refusal away."""
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\nrefuse")
        for _ in range(40):
            client.send(bytes(MIB))
            await asyncio.sleep(0)
        reply = await client.reply()
        assert (reply.status, reply.headers["connection"]) == (422, "close")
        assert await client.closed()


async def test_connection_that_streams_serves_the_next_request():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        body = b"x" * (2 * MIB)
        client.send(
            request_bytes("POST", "/upload", body)
            + request_bytes("GET", "/download?pieces=1")
            + request_bytes("POST", "/upload", b"y")
            + request_bytes("GET", "/who")
        )
        replies = [await client.reply() for _ in range(4)]
        assert [reply.status for reply in replies] == [200] * 4
        assert [json.loads(replies[number].body)["size"] for number in (0, 2)] == [len(body), 1]
        assert len(replies[1].body) == MIB


async def test_chunked_body_of_any_size_is_taken_and_endless_framing_is_not():
    async with running_kernel() as kernel:
        async with raw_client(kernel.port) as client:
            client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(40):
                client.send(b"100000\r\n" + bytes(MIB) + b"\r\n")
                await client.writer.drain()
            client.send(b"0\r\n\r\n")
            assert json.loads((await client.reply()).body)["size"] == 40 * MIB
        async with raw_client(kernel.port) as client:
            client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;")
            for _ in range(100):
                client.send(b"x" * 1000)
                await asyncio.sleep(0.001)
            assert (await client.reply()).status == 431


async def test_client_is_asked_to_go_on_only_when_somebody_reads():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        client.send(b"body")
        assert json.loads((await client.reply()).body)["size"] == 4
        client.send(b"POST /upload/small HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\nExpect: 100-continue\r\n\r\n")
        reply = await client.reply()
        assert (reply.status, reply.headers["connection"]) == (413, "close")


async def test_upload_under_way_is_received_to_its_end_when_the_server_stops():
    stack = running_kernel()
    kernel = await stack.__aenter__()
    async with raw_client(kernel.port) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nwait")
        await kernel.handlers.started.wait()
        kernel.handlers.release.set()
        stopping = asyncio.ensure_future(stack.__aexit__(None, None, None))
        await asyncio.sleep(0.2)
        client.send(b"more")
        reply = await client.reply()
        assert (reply.status, json.loads(reply.body)["size"]) == (200, 8)
        assert reply.headers["connection"] == "close"
        await stopping


async def test_gigabyte_in_and_out_needs_little_memory():
    def memory_bytes():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    async def many():
        piece = bytes(MIB)
        for _ in range(256):
            yield piece

    async with running_kernel() as kernel, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{kernel.port}") as client:
        await client.post("/upload", content=bytes(MIB))
        before = memory_bytes()
        assert (await client.post("/upload", content=many())).json()["size"] == 256 * MIB
        async with client.stream("GET", "/download", params={"pieces": 256}) as reply:
            size = 0
            async for piece in reply.aiter_bytes():
                size += len(piece)
        assert size == 256 * MIB
        assert memory_bytes() < before + 24 * MIB
