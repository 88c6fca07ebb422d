"""Requests that two parsers could read differently, and other raw bytes: refused, in the envelope, and closed."""

from __future__ import annotations

import asyncio
import json
import random

import pytest
import pytest_asyncio

from orama.gateway.kernel.limits import HttpLimits
from support.kernel import raw_client, request_bytes, running_kernel

H = b"Host: a\r\n"
POST = b"POST /echo HTTP/1.1\r\n" + H
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "both_lengths": (POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "both_lengths_swapped": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400),
    "two_lengths": (POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400),
    "two_equal_lengths": (POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "length_list": (POST + b"Content-Length: 4, 4\r\n\r\nabcd", 400),
    "length_plus": (POST + b"Content-Length: +4\r\n\r\nabcd", 400),
    "length_hex": (POST + b"Content-Length: 0x4\r\n\r\nabcd", 400),
    "length_negative": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "length_empty": (POST + b"Content-Length: \r\n\r\n", 400),
    "length_overflow": (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
    "encoding_unknown": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "encoding_twice": (POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "encoding_list": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    "encoding_chunked_twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "encoding_in_1.0": (b"POST /echo HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "host_missing": (b"GET /who HTTP/1.1\r\n\r\n", 400),
    "host_twice": (b"GET /who HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "host_twice_equal": (b"GET /who HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "host_empty": (b"GET /who HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "authorization_twice": (b"GET /who HTTP/1.1\r\n" + H + b"Authorization: a\r\nAuthorization: b\r\n\r\n", 400),
    "api_key_twice": (b"GET /who HTTP/1.1\r\n" + H + b"X-API-Key: a\r\nx-api-key: b\r\n\r\n", 400),
    "space_before_colon": (b"GET /who HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    "tab_before_colon": (b"GET /who HTTP/1.1\r\nHost\t: a\r\n\r\n", 400),
    "bare_line_feeds": (b"GET /who HTTP/1.1\nHost: a\n\n", 400),
    "bare_line_feed_in_headers": (b"GET /who HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    "bare_line_feed_at_end": (b"GET /who HTTP/1.1\r\nHost: a\r\n\n", 400),
    "bare_carriage_return": (b"GET /who HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
    "folded_header": (b"GET /who HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
    "nul_in_value": (b"GET /who HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
    "control_in_value": (b"GET /who HTTP/1.1\r\nHost: a\r\nX: a\x07b\r\n\r\n", 400),
    "nul_in_name": (b"GET /who HTTP/1.1\r\nHost: a\r\nX\x00: b\r\n\r\n", 400),
    "name_empty": (b"GET /who HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
    "header_without_colon": (b"GET /who HTTP/1.1\r\nHost: a\r\nfoo\r\n\r\n", 400),
    "chunk_size_hex_prefix": (CHUNKED + b"0x4\r\nabcd\r\n0\r\n\r\n", 400),
    "chunk_size_space": (CHUNKED + b"4 \r\nabcd\r\n0\r\n\r\n", 400),
    "chunk_size_negative": (CHUNKED + b"-4\r\nabcd\r\n0\r\n\r\n", 400),
    "chunk_size_overflow": (CHUNKED + b"fffffffffffffffff\r\n", 400),
    "chunk_bare_line_feed": (CHUNKED + b"1\na\n0\n\n", 400),
    "chunk_too_long": (CHUNKED + b"1\r\nab\r\n0\r\n\r\n", 400),
    "target_not_ascii": (b"GET /\xc3\xa9 HTTP/1.1\r\n" + H + b"\r\n", 400),
    "target_with_space": (b"GET /a b HTTP/1.1\r\n" + H + b"\r\n", 400),
    "target_relative": (b"GET who HTTP/1.1\r\n" + H + b"\r\n", 400),
    "target_other_authority": (b"GET http://b/who HTTP/1.1\r\n" + H + b"\r\n", 400),
    "target_other_scheme": (b"GET ftp://a/who HTTP/1.1\r\n" + H + b"\r\n", 400),
    "connect": (b"CONNECT a:443 HTTP/1.1\r\n" + H + b"\r\n", 400),
    "http2_preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "version_1.2": (b"GET /who HTTP/1.2\r\n" + H + b"\r\n", 400),
    "version_0.9": (b"GET /who\r\n\r\n", 400),
    "method_unknown": (b"FOO /who HTTP/1.1\r\n" + H + b"\r\n", 400),
    "method_lower_case": (b"get /who HTTP/1.1\r\n" + H + b"\r\n", 400),
    "tls_hello": (bytes.fromhex("16030100c8010000c40303") + b"\x00" * 50, 400),
    "content_encoding": (POST + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd", 415),
    "expectation": (POST + b"Expect: 200-maybe\r\nContent-Length: 4\r\n\r\nabcd", 417),
    "body_declared_too_large": (POST + b"Content-Length: 1048577\r\n\r\n", 413),
    "long_target": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + H + b"\r\n", 414),
    "one_huge_header": (b"GET /who HTTP/1.1\r\n" + H + b"X: " + b"a" * 200_000 + b"\r\n\r\n", 431),
    "many_headers": (
        b"GET /who HTTP/1.1\r\n" + H + b"".join(b"X%d: a\r\n" % i for i in range(2000)) + b"\r\n",
        431,
    ),
    "many_trailers": (
        CHUNKED + b"0\r\n" + b"".join(b"X%d: a\r\n" % i for i in range(2000)) + b"\r\n",
        431,
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kernel():
    async with running_kernel() as running:
        yield running


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", REFUSED)
async def test_request_is_refused_and_connection_closed_when_framing_is_ambiguous(name, kernel):
    data, status = REFUSED[name]
    kernel.seen.calls.clear()
    async with raw_client(kernel.port) as client:
        client.send(data)
        reply = await client.reply()
        assert reply.status == status
        assert reply.headers["connection"] == "close"
        body = json.loads(reply.body)
        assert body["error"] == body["message"]
        assert body["code"] in ("INVALID_ARGUMENT", "TOO_LARGE")
        assert body["request_id"] == reply.headers["x-request-id"]
        assert await client.closed()
    assert [status for _, status, _ in kernel.seen.calls] == [status]


async def test_trailers_are_dropped_and_do_not_become_headers():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(CHUNKED + b'e\r\n{"text": "a"}\n\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n')
        assert json.loads((await client.reply()).body) == {"text": "a", "number": 0}


async def test_request_passes_when_target_is_absolute_and_of_this_host():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(b"GET http://a/who HTTP/1.1\r\n" + H + b"\r\n")
        assert (await client.reply()).status == 200


async def test_request_is_answered_plainly_when_it_asks_for_an_upgrade_not_offered():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(b"GET /who HTTP/1.1\r\n" + H + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nREST")
        reply = await client.reply()
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert await client.closed()


async def test_earlier_request_is_answered_when_a_later_one_is_malformed():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(request_bytes("GET", "/who") + b"nonsense\r\n\r\n")
        reply = await client.reply()
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert await client.closed()


async def test_body_is_refused_when_chunks_pass_the_limit():
    async with running_kernel(HttpLimits(max_body_bytes=1000)) as kernel, raw_client(kernel.port) as client:
        client.send(CHUNKED + b"3e8\r\n" + b"a" * 1000 + b"\r\n1\r\nb\r\n0\r\n\r\n")
        reply = await client.reply()
        assert (reply.status, json.loads(reply.body)["reason"]) == (413, "body_too_large")


async def test_body_is_refused_when_chunk_framing_outweighs_it():
    limits = HttpLimits(max_body_bytes=1000, max_header_bytes=1000)
    async with running_kernel(limits) as kernel, raw_client(kernel.port) as client:
        client.send(CHUNKED)
        for _ in range(50):
            client.send((b"1;" + b"x" * 100 + b"\r\na\r\n") * 10)
            await asyncio.sleep(0)
        assert (await client.reply()).status == 413


@pytest.mark.parametrize("endless", [b"0\r\nX-Trailer: ", b"1;"])
async def test_endless_trailer_or_extension_is_refused_early(endless):
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(CHUNKED + endless)
        sent = 0
        while sent < 16_000_000 and not client.reader.at_eof():
            client.send(b"a" * 65_536)
            sent += 65_536
            await asyncio.sleep(0)
            if kernel.seen.calls:
                break
        assert (await client.reply()).status == 431
        assert sent < 4_000_000


async def test_refusal_reaches_a_client_that_is_still_sending():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(POST + b"Content-Length: 50000000\r\n\r\n")
        for _ in range(100):
            client.send(b"x" * 10_000)
            await asyncio.sleep(0)
        assert (await client.reply()).status == 413


async def test_upload_waits_for_100_continue_and_gets_it():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        body = b'{"text": "a"}'
        client.send(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert (await client.reply()).status == 100
        client.send(body)
        assert (await client.reply()).status == 200


async def test_oversized_upload_is_refused_instead_of_100_continue():
    async with running_kernel() as kernel, raw_client(kernel.port) as client:
        client.send(POST + b"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n")
        assert (await client.reply()).status == 413


async def test_every_reply_is_a_4xx_when_bytes_are_random():
    seed = 20261123
    source = random.Random(seed)
    pieces = [b"GET", b"POST", b" /echo", b" HTTP/1.1", b"\r\n", b"\n", b":", b"Host: a", b"Content-Length: 3", b"\x00",
              b"Transfer-Encoding: chunked", b"\r\n\r\n", b"0\r\n", b"{}", b"\xff\xfe", b";", b" ", b"Expect: 100-continue"]  # fmt: skip
    async with running_kernel(HttpLimits(header_timeout_s=0.2, body_grace_s=0.2, idle_s=0.2)) as kernel:

        async def answer_to(data: bytes) -> bytes:
            async with raw_client(kernel.port) as client:
                client.send(data)
                async with asyncio.timeout(20):
                    answer = await client.reader.read()
            return answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")

        for _ in range(10):
            sent = [b"".join(source.choices(pieces, k=source.randint(1, 12))) for _ in range(100)]
            for data, answer in zip(sent, await asyncio.gather(*map(answer_to, sent)), strict=True):
                assert answer[9:12] in (b"", b"200") or 400 <= int(answer[9:12]) < 500, (seed, data, answer[:200])
        async with raw_client(kernel.port) as client:
            client.send(request_bytes("GET", "/who"))
            assert (await client.reply()).status == 200
