"""What a program meets at the client: the gateway's own errors, bounds, and honesty about what is not known."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx2
import msgspec
import pytest

from orama.client.failure import failure_answered, failure_on_the_way
from orama.client.settings import ClientSettings
from orama.client.transport import Transport
from orama.errors import (
    BY_LABEL,
    BadBackend,
    Code,
    Deadline,
    InvalidArgument,
    NotFound,
    OramaError,
    RateLimited,
    TooLarge,
    Unavailable,
)
from orama.gateway.kernel.problem import problem
from support.scripted import CLOSE, TRICKLE, as_http, http, scripted_server

QUICK = ClientSettings(connect_timeout_s=1, timeout_s=0.3, max_reply_bytes=1_000)


class Answer(msgspec.Struct):
    n: int


class Ask(msgspec.Struct):
    text: str


DETAILS = {"limit": 7, "reset": 8, "allow": ["GET"]}
OK = http(200, b'{"n": 1}')


class Sleeper:
    """Notes how long it was to wait, and does not."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


async def talk(server, method="read", settings=QUICK, sleep=None, key=None):
    transport = Transport(server.url, key, settings, sleep=sleep or Sleeper())
    try:
        return await getattr(transport, method)("POST", "/v1/ask", Answer, Ask("größe"))
    finally:
        await transport.close()


async def failure(server, method="read", **options):
    with pytest.raises(OramaError) as refusal:
        await talk(server, method, **options)
    return refusal.value


@pytest.mark.parametrize("method", ["read", "write"])
async def test_request_and_reply_are_json_under_the_key(method):
    async with scripted_server(OK) as server:
        assert await talk(server, method, key="ak_1_secret:shop") == Answer(1)
        head, _, body = server.heard[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /v1/ask http/1.1"
    assert {"x-api-key: ak_1_secret:shop", "content-type: application/json"} <= set(lines)
    assert msgspec.json.decode(body) == {"text": "größe"}


@pytest.mark.parametrize("kind", BY_LABEL.values(), ids=lambda kind: kind.__name__)
async def test_each_error_of_a_gateway_is_raised_as_the_same_class(kind):
    sent = kind("what went wrong", reason="a_reason", details=DETAILS, retry_after_s=600)
    async with scripted_server(as_http(problem(sent, "request-7"))) as server:
        found = await failure(server, "write")
    assert type(found) is kind
    assert found.text == ("internal error" if kind.code is Code.INTERNAL else "what went wrong")
    assert (found.reason, found.details, found.retry_after_s) == ("a_reason", DETAILS, 600)
    assert (found.request_id, found.http_status) == ("request-7", kind.code.http_status)


async def test_error_without_more_has_neither_reason_nor_details():
    async with scripted_server(as_http(problem(NotFound("not found"), "r"))) as server:
        found = await failure(server)
    assert (found.reason, found.details, found.retry_after_s) == (None, None, None)


def test_code_of_a_newer_gateway_is_told_by_its_status():
    body = b'{"error": "too early", "code": "TOO_EARLY", "message": "", "request_id": "r", "retryable": true}'
    for status, kind in ((404, NotFound), (425, InvalidArgument), (599, BadBackend)):
        found = failure_answered(status, {}, body, "http://a")
        assert (type(found), found.text, found.http_status) == (kind, "too early", status)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (http(502, b"<html>Bad Gateway</html>"), BadBackend),
        (http(503, b""), Unavailable),
        (http(404, b"no such page"), NotFound),
        (http(302, b"", ("location", "http://elsewhere.example/")), BadBackend),
        (http(200, b"<html>hello</html>"), BadBackend),
        (http(200, b'{"n": "one"}'), BadBackend),
        (http(200, b'{"n": "\xff"}'), BadBackend),
    ],
)
async def test_what_is_no_gateway_is_told_apart(reply, kind):
    async with scripted_server(reply) as server:
        found = await failure(server, "write")
        assert len(server.heard) == 1, "no redirect is followed: it would take the key elsewhere"
    assert type(found) is kind
    assert found.reason == "no_gateway"
    assert "is the address right?" in found.text


async def test_read_is_sent_again_while_the_gateway_is_away_or_busy():
    busy = as_http(problem(RateLimited("slow down", retry_after_s=2, details={"limit": 1, "reset": 2}), "r"))
    sleeper = Sleeper()
    async with scripted_server(http(503, b""), busy, OK) as server:
        assert await talk(server, sleep=sleeper) == Answer(1)
        assert len(server.heard) == 3
    first, second = sleeper.waits
    assert 0.2 <= first <= 0.25, "as the settings say, and a little more, by chance"
    assert 2 <= second <= 2.5, "as the gateway asks"


async def test_read_is_given_up_after_its_attempts():
    sleeper = Sleeper()
    async with scripted_server(CLOSE, CLOSE, CLOSE, OK) as server:
        found = await failure(server, sleep=sleeper)
        assert len(server.heard) == 3
    assert (type(found), found.reason) == (Unavailable, "connection_lost")
    assert len(sleeper.waits) == 2


async def test_read_waits_no_longer_than_the_settings_say():
    async with scripted_server(as_http(problem(Unavailable("later", retry_after_s=6), "r")), OK) as server:
        found = await failure(server)
        assert len(server.heard) == 1
    assert found.retry_after_s == 6


@pytest.mark.parametrize("error", [InvalidArgument("no"), NotFound("no"), Deadline("no", reason="request_timeout")])
async def test_read_that_would_fail_again_is_not_sent_again(error):
    async with scripted_server(as_http(problem(error, "r")), OK) as server:
        assert type(await failure(server)) is type(error)
        assert len(server.heard) == 1


async def test_write_is_sent_once_whatever_happens():
    for reply in (http(503, b""), CLOSE, as_http(problem(Unavailable("away"), "r"))):
        async with scripted_server(reply, OK) as server:
            await failure(server, "write")
            assert len(server.heard) == 1


@pytest.mark.parametrize(
    "reply",
    [CLOSE, b"nonsense\r\n\r\n", http(200, b'{"n"', length=8) + b"", b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n"],
    ids=["closed", "nonsense", "cut", "stalled"],
)
async def test_write_without_an_answer_has_an_unknown_outcome(reply):
    async with scripted_server(reply) as server:
        found = await failure(server, "write")
    assert (type(found), found.reason) == (Deadline, "outcome_unknown")
    assert "may or may not have happened" in found.text


async def test_reply_that_trickles_ends_in_time():
    settings = ClientSettings(connect_timeout_s=0.2, timeout_s=0.3, read_attempts=1)
    async with scripted_server(TRICKLE) as server:
        began = asyncio.get_running_loop().time()
        found = await failure(server, settings=settings)
        assert asyncio.get_running_loop().time() - began < 2
    assert (type(found), found.reason) == (Unavailable, "connection_lost")


async def test_gateway_that_is_not_there_was_sent_nothing():
    async with scripted_server() as server:
        pass
    for method in ("read", "write"):
        found = await failure(server, method)
        assert (type(found), found.reason) == (Unavailable, "gateway_unreachable")
        assert server.url in found.text


async def test_reply_past_its_limit_is_not_read_to_its_end():
    endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"400\r\n" + b" " * 1024 + b"\r\n"
    async with scripted_server(endless) as server:
        found = await failure(server, "write")
    assert (type(found), found.reason, found.details) == (TooLarge, "reply_too_large", {"limit": 1_000})


def all_below(kind):
    return {kind, *(deeper for child in kind.__subclasses__() for deeper in all_below(child))}


@pytest.mark.parametrize("kind", all_below(httpx2.RequestError), ids=lambda kind: kind.__name__)
def test_no_exception_of_the_library_is_unmapped(kind):
    for writes in (True, False):
        found = failure_on_the_way(kind("x"), "http://a", may_have_written=writes)
        assert isinstance(found, Deadline if writes and found.reason == "outcome_unknown" else Unavailable)
        assert found.text


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:6001",
        "ftp://a",
        "http://",
        "http://a:x",
        "http://user:pass@a",
        "http://a?q",
        "http://a b",
        "http://ä",
        "http://a\r\nX: y",
    ],
)
def test_address_that_is_none_is_refused(url):
    with pytest.raises(InvalidArgument, match="looks like http://"):
        Transport(url, None, QUICK)


@pytest.mark.parametrize("key", ["", " ", "ak_1\r\nX-Evil: 1", "ak_ö"])
def test_key_that_is_none_is_refused_without_being_told(key):
    with pytest.raises(InvalidArgument, match="looks like ak_") as refusal:
        Transport("http://a", key, QUICK)
    assert not key.strip() or key not in refusal.value.text


async def test_address_may_have_a_path_and_a_slash_at_its_end():
    async with scripted_server(OK) as server:
        transport = Transport(f"{server.url}/orama/", None, QUICK)
        await transport.read("GET", "/v1/ask", Answer)
        await transport.close()
        assert server.heard[0].startswith(b"GET /orama/v1/ask HTTP/1.1\r\n")
        assert b"x-api-key" not in server.heard[0].lower()


async def test_proxies_of_the_environment_are_not_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with scripted_server(OK) as server:
        assert await talk(server) == Answer(1)


def test_client_needs_nothing_of_the_server():
    """A program that uses the SDK loads no gateway, no SQLite, no log and no command line."""
    server = ("apsw", "uvicorn", "structlog", "typer", "rich", "yaml", "cryptography", "prometheus_client", "starlette")
    code = f"import orama.client, sys; print([one for one in {server!r} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
